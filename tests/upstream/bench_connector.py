"""CPU a request of the connector beside http.client and urllib3, in one run.

    python -m tests.upstream.bench_connector

A small keep-alive POST to a raw loopback server in another process; the least CPU time
of many short rounds, taken in turn, so that a busy machine bends all of them alike.
"""

from __future__ import annotations

import http.client
import multiprocessing
import select
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe

import urllib3

from pihub.settings.schema import Pool, Timers
from pihub.upstream.connector import Connector, Origin
from tests.upstream.waiter import TableResolver

ROUNDS = 40
CALLS = 250
BODY = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello there"}}]}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: x\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\n"
    b"Content-Type: application/json\r\nX-Request-Id: abc\r\nContent-Length: %d\r\n\r\n"
) % len(BODY) + BODY
ASKED = b'{"model":"x","messages":[{"role":"user","content":"hello"}]}'
FIELDS = {
    "authorization": "Bearer xyz",
    "content-type": "application/json",
    "user-agent": "pihub",
    "accept": "application/json",
}


def serve(pipe: Pipe) -> None:
    """Answers each request that ends with ASKED; one thread a connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    pipe.send(listener.getsockname()[1])

    def talk(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b""
        while piece := sock.recv(65536):
            data += piece
            if data.endswith(ASKED):
                data = b""
                sock.sendall(ANSWER)

    while True:
        sock, _ = listener.accept()
        threading.Thread(target=talk, args=(sock,), daemon=True).start()


class OnePoll:
    """The cheapest Waiter there is: what an event loop costs is not measured here."""

    def __init__(self) -> None:
        self._polls: dict[tuple[int, bool], select.poll] = {}

    def wait(
        self, fd: int, *, write: bool = False, deadline: float, client_fd: int = -1
    ) -> None:
        poll = self._polls.get((fd, write))
        if poll is None:
            poll = self._polls[fd, write] = select.poll()
            poll.register(fd, select.POLLOUT if write else select.POLLIN)
        if not poll.poll(5000):
            raise TimeoutError

    def sleep(self, seconds: float, *, client_fd: int = -1) -> None:
        raise AssertionError("nothing sleeps here")

    def client_fd(self, environ: object) -> int:
        return -1


def clients(port: int) -> dict[str, Callable[[], bytes]]:
    raw = socket.create_connection(("127.0.0.1", port))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ready = select.poll()
    ready.register(raw, select.POLLIN)
    head = f"POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: {len(ASKED)}\r\n\r\n".encode()
    connector = Connector(OnePoll(), TableResolver())
    origin, _ = Origin.parse(f"http://127.0.0.1:{port}")
    timers, limits, fields = Timers(), Pool(), list(FIELDS.items())
    plain = http.client.HTTPConnection("127.0.0.1", port)
    pool = urllib3.HTTPConnectionPool("127.0.0.1", port)

    def by_socket() -> bytes:
        raw.send(head + ASKED)
        ready.poll(5000)
        return raw.recv(65536)[-len(BODY) :]

    def by_connector() -> bytes:
        answer = connector.request(origin, "POST", "/v1/x", fields, ASKED, timers, pool=limits)
        return answer.read_all(1 << 20)

    def by_http_client() -> bytes:
        plain.request("POST", "/v1/x", body=ASKED, headers=FIELDS)
        return plain.getresponse().read()

    def by_urllib3() -> bytes:
        return pool.urlopen("POST", "/v1/x", body=ASKED, headers=FIELDS).data

    return {
        "raw socket": by_socket,
        "connector": by_connector,
        "http.client": by_http_client,
        "urllib3": by_urllib3,
    }


def main() -> None:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    best: dict[str, float] = {}
    table = clients(ours.recv())
    for _ in range(ROUNDS):
        for name, call in table.items():
            assert call() == BODY
            begin = time.process_time()
            for _ in range(CALLS):
                call()
            spent = (time.process_time() - begin) / CALLS * 1e6
            best[name] = min(best.get(name, spent), spent)
    for name, spent in best.items():
        print(f"{name:12} {spent:6.1f} µs CPU a request")
    server.terminate()


if __name__ == "__main__":
    main()
