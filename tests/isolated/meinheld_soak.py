"""Soak the ported server: no answer may reach another client, memory must stay flat.

    python tests/isolated/meinheld_soak.py --requests 1000000

One process of clients on non-blocking sockets mixes plain requests, pipelined ones, waits
on a timerfd, streams, aborts (FIN and RST, before and during the answer). Every request
carries an id of its own; header and body of the answer must carry the same.
"""

from __future__ import annotations

import argparse
import random
import selectors
import socket
import struct
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.isolated.meinheld_harness import App

CLIENTS = 64
STALL_SECONDS = 30.0
LEFT = ("/wait?ms=4&id={}", "/stream?n=9&ms=1&id={}", "/whole?mb=1&id={}")
RESET = struct.pack("ii", 1, 0)


class Leak(Exception):
    """An answer that is not the asker's own, or is not well formed."""


@dataclass
class Report:
    kinds: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    rss_start_kb: int = 0
    rss_end_kb: int = 0
    seconds: float = 0.0

    @property
    def growth_kb(self) -> int:
        return self.rss_end_kb - self.rss_start_kb


class Client:
    """One connection at a time; asks, checks, sometimes leaves without a word."""

    def __init__(self, swarm: Swarm) -> None:
        self.swarm = swarm
        self.sock: socket.socket | None = None
        self.buffer = bytearray()
        self.expected: deque[tuple[str, str]] = deque()  # (kind, id)
        self.leave_after = 0  # bytes of the answer after which to leave; 0 is never
        self.reset = False
        self.moved = time.monotonic()

    def ask(self) -> None:
        """Send the next request or requests."""
        rng, swarm = self.swarm.rng, self.swarm
        roll = rng.random()
        self.leave_after, self.reset = 0, False
        if roll < 0.45:
            wanted = [("id", "/id?id={}")]
        elif roll < 0.60:
            wanted = [("id", "/id?id={}"), ("wait", "/wait?ms=1&id={}"), ("id", "/id?id={}")]
        elif roll < 0.80:
            wanted = [("wait", f"/wait?ms={rng.randint(1, 8)}&id={{}}")]
        elif roll < 0.90:
            wanted = [("stream", f"/stream?n=6&ms={rng.choice((0, 1))}&id={{}}")]
        else:
            wanted = [("abort", rng.choice(LEFT))]
            self.leave_after = rng.choice((-1, 1, 120))
            self.reset = rng.random() < 0.5
        out = bytearray()
        for kind, path in wanted:
            ident = swarm.next_id()
            swarm.report.kinds[kind] += 1
            self.expected.append((kind, ident))
            out += f"GET {path.format(ident)} HTTP/1.1\r\nHost: t\r\n\r\n".encode()
        if self.sock is None:
            self.sock = socket.create_connection(("127.0.0.1", swarm.port))
            self.sock.setblocking(False)
            swarm.selector.register(self.sock, selectors.EVENT_READ, self)
        self.sock.send(out)
        self.moved = time.monotonic()
        if self.leave_after < 0:
            self.leave()

    def leave(self) -> None:
        assert self.sock is not None
        self.swarm.selector.unregister(self.sock)
        if self.reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.sock.close()
        self.sock = None
        self.buffer.clear()
        self.expected.clear()

    def readable(self) -> None:
        assert self.sock is not None
        data = self.sock.recv(65536)
        if not data:
            raise Leak(f"closed with {list(self.expected)} outstanding")
        self.buffer += data
        self.moved = time.monotonic()
        if self.leave_after > 0:
            if len(self.buffer) >= self.leave_after:
                self.leave()
            return
        while self.expected and (body := self.take()) is not None:
            self.check(*self.expected.popleft(), body)
        if self.buffer and not self.expected:
            raise Leak(f"bytes nobody asked for: {bytes(self.buffer[:200])!r}")

    def take(self) -> tuple[bytes, bytes] | None:
        """Head and body of the next whole answer in the buffer."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self.buffer[: end + 2])
        if b"chunked" in head:
            last = self.buffer.find(b"\r\n0\r\n\r\n", end + 2)
            if last < 0:
                return None
            body = unchunk(bytes(self.buffer[end + 4 : last + 2]))
            del self.buffer[: last + 7]
        else:
            size = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            if len(self.buffer) < end + 4 + size:
                return None
            body = bytes(self.buffer[end + 4 : end + 4 + size])
            del self.buffer[: end + 4 + size]
        return head, body

    def check(self, kind: str, ident: str, answer: tuple[bytes, bytes]) -> None:
        head, body = answer
        own = ident.encode()
        wanted = b"".join(b"%b:%d;" % (own, i) for i in range(6))
        if kind != "stream":
            wanted = b"id=" + own
        if not head.startswith(b"HTTP/1.1 200 OK\r\n") or b"X-Id: " + own + b"\r\n" not in head:
            raise Leak(f"{ident} got the head {head!r}")
        if body != wanted:
            raise Leak(f"{ident} ({kind}) got the body {body[:300]!r}")
        self.swarm.report.answered += 1


def unchunk(data: bytes) -> bytes:
    out = bytearray()
    while data:
        line, _, rest = data.partition(b"\r\n")
        size = int(line, 16)
        if rest[size : size + 2] != b"\r\n":
            raise Leak(f"bad chunk in {data[:100]!r}")
        out += rest[:size]
        data = rest[size + 2 :]
    return bytes(out)


class Swarm:
    """All the clients of one run."""

    def __init__(self, port: int, requests: int, seed: int) -> None:
        self.port = port
        self.left = requests
        self.rng = random.Random(seed)
        self.selector = selectors.DefaultSelector()
        self.report = Report()
        self.serial = 0

    def next_id(self) -> str:
        self.serial += 1
        self.left -= 1
        return f"{self.serial:x}-{self.rng.getrandbits(32):08x}"

    def run(self, app: App, warm: int) -> Report:
        clients = [Client(self) for _ in range(CLIENTS)]
        started = looked = time.monotonic()
        while self.left > 0 or any(client.expected for client in clients):
            for client in clients:
                if self.left > 0 and not client.expected:
                    client.ask()
            for key, _ in self.selector.select(1):
                key.data.readable()
            if self.report.rss_start_kb == 0 and self.serial >= warm:
                self.report.rss_start_kb = app.rss_kb()
            if (now := time.monotonic()) - looked > 1:
                looked = now
                stalled = [c for c in clients if c.expected and now - c.moved > STALL_SECONDS]
                if stalled:
                    raise Leak(f"no answer for {[list(c.expected) for c in stalled]}")
        for client in clients:
            if client.sock is not None:
                client.leave()
        self.report.seconds = time.monotonic() - started
        self.report.rss_end_kb = app.rss_kb()
        return self.report


def soak(requests: int, warm: int, seed: int, env: dict[str, str] | None = None) -> Report:
    """Run it; raises Leak, or AssertionError when the worker did not survive."""
    with App("--keepalive", "60", env=env) as app:
        report = Swarm(app.port, requests, seed).run(app, warm)
        assert app.ask("/").body == b"hello\n"
        status = app.stop()
        assert status == 0, f"exit {status}: {app.errors()[-2000:]}"
        assert app.errors() == "", app.errors()[-2000:]
        return report


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--warm", type=int, help="requests before memory is first looked at")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-growth-kb", type=int, default=2048)
    args = parser.parse_args()
    warm = args.requests // 10 if args.warm is None else args.warm
    report = soak(args.requests, warm, args.seed)
    print(
        f"{sum(report.kinds.values())} requests in {report.seconds:.0f} s, "
        f"{report.answered} answered and each its asker's own, {dict(report.kinds)}; "
        f"RSS {report.rss_start_kb} kB after {warm}, {report.rss_end_kb} kB at the end"
    )
    return 0 if report.growth_kb < args.max_growth_kb else 1


if __name__ == "__main__":
    raise SystemExit(main())
