"""What gathering tokens saves, and what it costs in time: two hubs with one worker each, one that
gathers under load and one that never does, take turns before the same simulated upstream.

A round is 50 streams at 50 tokens a second. CPU is the worker's own, by the kernel.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from tests.system.hub import HubProcess, Upstreams

STREAMS, TOKENS, RATE = 50, 200, 50.0
CONTENT = b'"content":"'
EXTRA = """
[streams]
coalesce_ms = {ms}
"""


class Seen:
    """One stream as its client saw it. Times in milliseconds."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.first = 0.0
        self.last = 0.0
        self.gaps: list[float] = []
        self.tokens = 0
        self.pieces = 0

    def take(self, data: bytes) -> None:
        found = data.count(CONTENT)
        if not found:
            return
        now = time.perf_counter()
        if not self.tokens:
            self.first = (now - self.began) * 1000
        else:
            self.gaps.append((now - self.last) * 1000)
        self.last = now
        self.tokens += found
        self.pieces += 1


def one_round(hub: HubProcess, count: int, salt: str) -> tuple[float, list[Seen]]:
    """(the worker's CPU seconds, what the clients saw)."""
    worker = psutil.Process(worker_of(hub))
    before = worker.cpu_times()
    with selectors.DefaultSelector() as waiting:
        for number in range(count):
            waiting.register(opened(hub, f"{salt} {number}"), selectors.EVENT_READ, Seen())
        seen = [key.data for key in waiting.get_map().values()]
        while waiting.get_map():
            for key, _ in waiting.select(30.0):
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(65536)
                if not data:
                    waiting.unregister(key.fileobj)
                    key.fileobj.close()
                key.data.take(data)
    after = worker.cpu_times()
    return after.user + after.system - before.user - before.system, seen


def opened(hub: HubProcess, salt: str) -> socket.socket:
    body = json.dumps(
        {
            "model": "compatible",
            "stream": True,
            "messages": [{"role": "user", "content": f"[[tokens:{TOKENS}]] {salt}"}],
        }
    ).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n"
        f"authorization: Bearer {hub.key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    made = socket.create_connection(("127.0.0.1", hub.port))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.sendall(head.encode() + body)
    return made


def worker_of(hub: HubProcess) -> int:
    found = hub.admin("GET", "/status").json["processes"]
    return next(int(one["pid"]) for one in found if one["role"] == "worker")


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def figures(cpu: Sequence[float], seen: Sequence[Seen]) -> dict[str, float]:
    """CPU in milliseconds for 10,000 tokens, the median of the rounds."""
    gaps = [gap for one in seen for gap in one.gaps]
    first = [one.first for one in seen]
    return {
        "cpu_ms": statistics.median(cpu) if cpu else 0.0,
        "tokens_a_piece": sum(one.tokens for one in seen) / sum(one.pieces for one in seen),
        "first_p50": percentile(first, 0.5),
        "first_p99": percentile(first, 0.99),
        "gap_p50": percentile(gaps, 0.5),
        "gap_p99": percentile(gaps, 0.99),
    }


def run(args: argparse.Namespace) -> int:
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, Upstreams() as upstreams, ExitStack() as stack:
        upstreams.pace(RATE)
        hubs = {}
        for ms in (40, 0):
            place = Path(folder) / str(ms)
            place.mkdir()
            made = HubProcess(place, upstreams, workers=1, extra=EXTRA.format(ms=ms))
            hubs[ms] = stack.enter_context(made)
        cpu: dict[int, list[float]] = {40: [], 0: []}
        seen: dict[int, list[Seen]] = {40: [], 0: []}
        alone: dict[int, list[Seen]] = {40: [], 0: []}
        for number in range(args.rounds):
            for ms in (40, 0) if number % 2 else (0, 40):
                used, found = one_round(hubs[ms], STREAMS, f"{number} {ms}")
                tokens = sum(one.tokens for one in found)
                assert tokens >= STREAMS * (TOKENS - 1), tokens
                cpu[ms].append(used * 1000 * 10_000 / tokens)
                seen[ms] += found
                alone[ms] += one_round(hubs[ms], 1, f"alone {number} {ms}")[1]
        for ms in (40, 0):
            out[f"{ms}"] = figures(cpu[ms], seen[ms])
            out[f"{ms} alone"] = figures([], alone[ms])
        ratios = [with_ / without for with_, without in zip(cpu[40], cpu[0], strict=True)]
        out["ratio"] = statistics.median(ratios)
        out["ratios"] = ratios
    print(f"streams: {STREAMS} at {RATE:.0f} tokens a second, {args.rounds} rounds each in turn")
    for ms, name in ((40, "gathered within 40 ms"), (0, "never gathered")):
        for more, text in (("", name), (" alone", f"{name}, one stream")):
            row = out[f"{ms}{more}"]
            used = f"{row['cpu_ms']:7.0f} ms CPU for 10,000 tokens" if row["cpu_ms"] else " " * 32
            print(
                f"  {text:34} {used}  {row['tokens_a_piece']:.2f} tokens a piece"
                f"  first {row['first_p50']:.0f} / {row['first_p99']:.0f} ms"
                f"  gaps {row['gap_p50']:.0f} / {row['gap_p99']:.0f} ms (p50 / p99)"
            )
    print(f"  CPU with by CPU without: {out['ratio']:.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    if args.json:
        Path(args.json).write_text(json.dumps(out, indent=1))
    return 0
