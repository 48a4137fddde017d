"""An upstream that answers by what the last message says, byte by byte as a test wants it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from tests.upstream.raw_server import Peer

SAID = {"role": "assistant", "content": "Hello äöü"}


def whole(path: str, **more: object) -> bytes:
    if "/messages" in path:
        answer: dict[str, object] = {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "c1",
            "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 11, "output_tokens": 5, "cache_read_input_tokens": 3,
                      "cache_creation_input_tokens": 2},
        }  # fmt: skip
    else:
        answer = {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m1",
            "choices": [{"index": 0, "message": SAID, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27,
                      "prompt_tokens_details": {"cached_tokens": 4}},
        }  # fmt: skip
    answer.update(more)
    return json.dumps({key: value for key, value in answer.items() if value != "-"}).encode()


def choice(**more: object) -> list[object]:
    return [{"index": 0, "message": SAID, "finish_reason": "stop", **more}]


def framed(body: bytes, *lines: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    fields = "".join(line + "\r\n" for line in lines)
    return f"{status}\r\n{fields}\r\n".encode() + body


def sized(body: bytes, *lines: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    kind = "content-type: application/json"
    return framed(body, kind, f"content-length: {len(body)}", *lines, status=status)


def chunked(body: bytes) -> bytes:
    half = len(body) // 2
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (body[:half], body[half:], b""))


STREAM = (
    b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'
    b"data: [DONE]\n\n"
)
BIG = {"role": "assistant", "content": "x" * 200_000}
PLAIN: dict[str, Callable[[str], bytes]] = {
    "ok": lambda path: sized(whole(path)),
    "no-usage": lambda path: sized(whole(path, usage="-")),
    "null-usage": lambda path: sized(whole(path, usage=None)),
    "odd-usage": lambda path: sized(whole(path, usage={"prompt_tokens": 2.0})),
    "bad-usage": lambda path: sized(whole(path, usage={"prompt_tokens": "two"})),
    "length": lambda path: sized(whole(path, choices=choice(finish_reason="length"))),
    "odd-stop": lambda path: sized(whole(path, choices=choice(finish_reason="we\u00efrd"))),
    "new-stop": lambda path: sized(whole(path, choices=choice(finish_reason="brand_new"))),
    "no-stop": lambda path: sized(whole(path, choices=choice(finish_reason=None))),
    "two": lambda path: sized(whole(path, choices=choice() + choice(index=1))),
    "second": lambda path: sized(whole(path, choices=choice(index=1))),
    "no-choice": lambda path: sized(whole(path, choices=[])),
    "no-message": lambda path: sized(whole(path, choices=choice(message=None))),
    "tools": lambda path: sized(
        whole(
            path, choices=choice(message={"tool_calls": [{"id": "1"}]}, finish_reason="tool_calls")
        )
    ),
    "big": lambda path: sized(whole(path, choices=choice(message=BIG))),
    "error-200": lambda path: sized(b'{"error":{"message":"no","type":"x"}}'),
    "html": lambda path: sized(b"<html>hello</html>"),
    "empty": lambda path: sized(b""),
    "no-json": lambda path: sized(b'{"choices":['),
    "chunked": lambda path: framed(chunked(whole(path)), "transfer-encoding: chunked"),
    "bad-chunk": lambda path: framed(b"zz\r\n", "transfer-encoding: chunked"),
    "two-framings": lambda path: framed(
        whole(path), "transfer-encoding: chunked", "content-length: 5"
    ),
    "two-lengths": lambda path: framed(
        whole(path), f"content-length: {len(whole(path))}", "content-length: 7"
    ),
    "bad-length": lambda path: framed(whole(path), "content-length: -5"),
    "folded": lambda path: sized(whole(path), "x-a: b\r\n c"),
    "continue": lambda path: b"HTTP/1.1 100 Continue\r\n\r\n" + sized(whole(path)),
    "hints": lambda path: b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + sized(whole(path)),
    "http-2": lambda path: sized(whole(path), status="HTTP/2 200 OK"),
    "garbage": lambda path: b"\x00\x01\x02 garbage\r\n\r\n",
    "excess": lambda path: sized(whole(path)) + b"HTTP/1.1 200 OK\r\n\r\n",
    "204": lambda path: framed(b"", status="HTTP/1.1 204 No Content"),
    "500": lambda path: sized(b'{"error":{"message":"broken"}}', status="HTTP/1.1 500 Broken"),
    "503": lambda path: sized(b"busy", "retry-after: 7", status="HTTP/1.1 503 Busy"),
    "429": lambda path: sized(b"busy", "retry-after: 3", status="HTTP/1.1 429 Slow down"),
    "400": lambda path: sized(
        b'{"error":{"message":"temperature: too hot"}}', status="HTTP/1.1 400 Bad"
    ),
    "401": lambda path: sized(b'{"error":{"message":"no key"}}', status="HTTP/1.1 401 Who"),
    "404": lambda path: sized(b'{"error":{"message":"no model"}}', status="HTTP/1.1 404 Where"),
    "many-fields": lambda path: sized(whole(path), *[f"x-{n}: {'y' * 200}" for n in range(200)]),
}
"""Answers behind which the connection stays open."""


def answer(peer: Peer) -> None:
    """RawServer's handler."""
    while peer.request():
        body = json.loads(peer.body)
        said = str(body["messages"][-1]["content"]).partition(" ")[0]
        path = peer.target
        if said in PLAIN:
            peer.send(PLAIN[said](path))
        elif said == "stream":
            peer.send(framed(STREAM, "content-type: text/event-stream", "connection: close"))
            return
        elif said == "close":
            peer.send(sized(whole(path), "connection: close"))
            return
        elif said == "http-1.0":
            peer.send(sized(whole(path), status="HTTP/1.0 200 OK"))
            return
        elif said == "until-close":
            peer.send(framed(whole(path)))
            return
        elif said == "stale":
            peer.send(sized(whole(path)))
            return
        elif said == "cut":
            return
        elif said == "cut-head":
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-le")
            return
        elif said == "cut-body":
            peer.send(sized(whole(path))[:-20])
            return
        elif said == "reset":
            peer.reset()
            return
        elif said == "reset-body":
            peer.send(sized(whole(path))[:-20])
            peer.reset()
            return
        elif said == "slow":
            threading.Event().wait(0.3)
            peer.send(sized(whole(path)))
        elif said == "split":
            data = sized(whole(path))
            for part in (data[:9], data[9:60], data[60:-30], data[-30:]):
                peer.send(part)
                threading.Event().wait(0.05)
        elif said == "late":
            peer.until_closed(10)
            return
        elif said == "echo":
            text = str(body["messages"][-1]["content"])
            threading.Event().wait(0.02)
            peer.send(sized(whole(path, choices=choice(message={"content": text}))))
        else:
            raise AssertionError(said)
