"""What a simulator remembers of the requests that it received."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from pihub.demo.wire import Request

MAX_ENTRIES = 5000
MAX_BODIES = 16 << 20
"""Bytes of all remembered bodies together; the oldest requests are dropped first."""
MAX_BODY = 256 << 10
"""Bytes remembered of one body."""


@dataclass(slots=True)
class Entry:
    """One request. `tokens`: sent so far; `input_tokens` and `output_tokens`: what it asks
    money for if all is sent; `aborted`: the client left before the end, noticed `ended` -
    `received` seconds after the request; `finished`: all was sent."""

    number: int
    connection: int
    request: Request
    received: float = field(default_factory=time.time)
    ended: float = 0.0
    status: int = 0
    fault: str = ""
    tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    aborted: bool = False
    finished: bool = False

    def view(self) -> dict[str, Any]:
        """As JSON; `headers` is a list of [name in lower case, value]."""
        return {
            "number": self.number,
            "connection": self.connection,
            "method": self.request.method,
            "path": self.request.path,
            "target": self.request.target,
            "headers": [list(pair) for pair in self.request.headers],
            "body": self.request.body[:MAX_BODY].decode("utf-8", "replace"),
            "received": self.received,
            "ended": self.ended,
            "status": self.status,
            "fault": self.fault,
            "tokens": self.tokens,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "aborted": self.aborted,
            "finished": self.finished,
        }


class RequestLog:
    """The last requests, bounded in number and in bytes."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self.total = 0

    def add(self, request: Request, connection: int) -> Entry:
        self.total += 1
        entry = Entry(self.total, connection, request)
        self._entries.append(entry)
        self._bytes += len(request.body)
        while len(self._entries) > MAX_ENTRIES or (
            self._bytes > MAX_BODIES and len(self._entries) > 1
        ):
            self._bytes -= len(self._entries.popleft().request.body)
        return entry

    def clear(self) -> None:
        self._entries.clear()
        self._bytes = 0

    def view(self) -> list[dict[str, Any]]:
        return [entry.view() for entry in self._entries]
