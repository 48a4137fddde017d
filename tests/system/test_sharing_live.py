"""Never paid twice, over real sockets: two workers, both engines."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pihub.demo.harness import Demo
from tests.system.hub import HubProcess


def asking(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "cloud", "max_tokens": 500, "messages": [{"role": "user", "content": text}],
            **more}  # fmt: skip


class Stream:
    """A stream over a socket of its own, read as it comes."""

    def __init__(self, hub: HubProcess, body: dict[str, Any], **headers: str) -> None:
        data = json.dumps(body).encode()
        self.sock = socket.create_connection(("127.0.0.1", hub.port), timeout=20)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: {len(data)}\r\n"
        head += f"Authorization: Bearer {hub.key}\r\nContent-Type: application/json\r\n"
        head += "".join(f"{name.replace('_', '-')}: {v}\r\n" for name, v in headers.items())
        self.sock.sendall(head.encode() + b"Connection: close\r\n\r\n" + data)
        self.data = b""

    def until(self, word: bytes) -> float:
        """When `word` had come."""
        while word not in self.data:
            more = self.sock.recv(65536)
            assert more, self.data
            self.data += more
        return time.monotonic()

    def whole(self) -> str:
        while more := self.sock.recv(65536):
            self.data += more
        lines = [x for x in self.data.decode().split("\n") if x.startswith("data: {")]
        deltas = [json.loads(line[6:])["choices"] for line in lines]
        return "".join(d[0]["delta"].get("content") or "" for d in deltas if d)

    def leave(self) -> None:
        self.sock.close()


def calls(upstreams: Demo, text: str) -> list[dict[str, Any]]:
    return [one for one in upstreams.log("claude") if text in one["body"]]


def test_eight_streams_are_one_call(hub: HubProcess, upstreams: Demo) -> None:
    upstreams.pace(25)
    try:
        body = asking(f"[[tokens:40]] fan out {hub.engine}", temperature=0, stream=True)
        first = Stream(hub, body)
        first.until(b"content")
        others = [Stream(hub, body) for _ in range(7)]
        for other in others:
            other.until(b"content")
        # They were served while the answer was still being made.
        assert calls(upstreams, f"fan out {hub.engine}")[0]["finished"] is False
        with ThreadPoolExecutor(8) as pool:
            texts = list(pool.map(Stream.whole, [first, *others]))
        assert len(set(texts)) == 1 and len(texts[0].split()) >= 39
        assert len(calls(upstreams, f"fan out {hub.engine}")) == 1
    finally:
        upstreams.pace(0)


def test_a_lost_stream_is_taken_up_again(hub: HubProcess, upstreams: Demo) -> None:
    upstreams.pace(25)
    try:
        body = asking(f"[[tokens:60]] lost {hub.engine}", stream=True)
        first = Stream(hub, body)
        first.until(b"content")
        first.leave()
        time.sleep(0.3)  # until the hub has noticed: two tokens later
        again = Stream(hub, body)
        again.until(b"content")
        assert calls(upstreams, f"lost {hub.engine}")[0]["finished"] is False
        text = again.whole()
        assert len(text.split()) >= 59 and b"re-attached" in again.data
        (call,) = calls(upstreams, f"lost {hub.engine}")
        assert call["finished"] and not call["aborted"]
    finally:
        upstreams.pace(0)


def test_an_idempotency_key_survives_a_timeout(hub: HubProcess, upstreams: Demo) -> None:
    """The client gives up on a whole answer and asks again: one call, one bill."""
    upstreams.pace(100)
    try:
        body = asking(f"[[tokens:80]] timeout {hub.engine}")
        first = Stream(hub, body, Idempotency_Key=f"t-{hub.engine}")
        time.sleep(0.2)
        first.leave()
        reply = hub.post(
            "/v1/chat/completions", body, idempotency_key=f"t-{hub.engine}"
        )
        assert reply.status == 200 and reply.headers["x-pihub-cost"] == "0"
        assert len(calls(upstreams, f"timeout {hub.engine}")) == 1
        other = hub.post(
            "/v1/messages", asking("other"), idempotency_key=f"t-{hub.engine}"
        )
        assert other.status == 422
        assert other.json["error"]["type"] == "invalid_request_error"
    finally:
        upstreams.pace(0)
