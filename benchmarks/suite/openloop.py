"""Open-loop load: requests leave when they are due, whether or not the last has come back.

A latency counts from the time at which its request was due, so a server that stalls pays
for all that waited (Tene, "How NOT to measure latency"; wrk2's correction). One process,
asyncio, keep-alive connections; it tells how late it was itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LATE = 0.005
"""Seconds that the generator itself may be late before a sample counts as disturbed."""
BOUND = 20.0


@dataclass(frozen=True)
class Call:
    """One request; `stream`: also measure the first content byte."""

    path: str
    body: bytes
    stream: bool = False


@dataclass
class Result:
    """All of one run. Times in milliseconds."""

    latency: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    failures: int = 0
    disturbed: int = 0
    seconds: float = 0.0


class Pool:
    """Idle connections of one server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def take(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self.port)

    def close(self) -> None:
        for _, writer in self.idle:
            writer.close()


def load(
    port: int, headers: Mapping[str, str], rate: float, seconds: float, make: Callable[[int], Call]
) -> Result:
    """`make(n)` gives the n-th request. Every request is answered or counted as a failure."""
    return asyncio.run(_load(port, headers, rate, seconds, make))


async def _load(
    port: int, headers: Mapping[str, str], rate: float, seconds: float, make: Callable[[int], Call]
) -> Result:
    result, pool = Result(), Pool(port)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    began = time.perf_counter() + 0.05
    tasks = []
    for number in range(round(rate * seconds)):
        due = began + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        if time.perf_counter() - due > LATE:
            result.disturbed += 1
        tasks.append(asyncio.create_task(_one(pool, lines, make(number), due, result)))
    await asyncio.gather(*tasks)
    result.seconds = time.perf_counter() - began
    pool.close()
    return result


async def _one(pool: Pool, lines: str, call: Call, due: float, result: Result) -> None:
    try:
        async with asyncio.timeout(BOUND):
            status, first = await _exchange(pool, lines, call, due)
    except (OSError, ValueError, asyncio.IncompleteReadError, TimeoutError):
        result.failures += 1
        return
    result.latency.append((time.perf_counter() - due) * 1000)
    if call.stream:
        result.first.append(first)
    result.statuses[status] = result.statuses.get(status, 0) + 1


async def _exchange(pool: Pool, lines: str, call: Call, due: float) -> tuple[int, float]:
    reader, writer = await pool.take()
    writer.write(
        f"POST {call.path} HTTP/1.1\r\nhost: bench\r\n{lines}"
        f"content-length: {len(call.body)}\r\n\r\n".encode()
        + call.body
    )
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status, first = int(head[9:12]), 0.0
    if b"transfer-encoding: chunked" in head:
        while size := int((await reader.readline()).split(b";")[0], 16):
            first = first or (time.perf_counter() - due) * 1000
            await reader.readexactly(size + 2)
        await reader.readline()
    elif b"content-length: " in head:
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r")[0]))
    else:
        await reader.read()
        writer.close()
        return status, first
    if b"connection: close" in head:
        writer.close()
    else:
        pool.idle.append((reader, writer))
    return status, first
