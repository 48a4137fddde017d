"""What the simulator's engine needs from a vendor's wire format."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pihub.demo.answers import Plan
from pihub.demo.machine import Machine, Need, Took
from pihub.demo.wire import Request

Headers = list[tuple[str, str]]


def dump(value: Any) -> bytes:
    """Compact JSON in UTF-8, as the vendors send it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(slots=True)
class Whole:
    """An answer that needs no model: a list, a version, an error."""

    status: int
    body: bytes
    headers: Headers = field(default_factory=lambda: [("content-type", "application/json")])
    need: Need | None = None
    """A model to be loaded first, though nothing is generated."""


class Job(ABC):
    """One generation, ready to be sent in the vendor's form."""

    content_type: str
    headers: Headers
    stream: bool
    plan: Plan
    need: Need | None = None
    """What it asks of the machine, for vendors that have one."""
    took: Took
    """How long its parts took, for vendors that tell."""

    @abstractmethod
    def opening(self, usage: str) -> bytes:
        """The frames before the first token. `usage`: "", missing, late or early."""

    @abstractmethod
    def frames(self) -> Iterator[bytes]:
        """One frame a token (tool calls count as one)."""

    @abstractmethod
    def closing(self, usage: str) -> bytes:
        """The frames after the last token, the terminal marker included."""

    @abstractmethod
    def terminal(self) -> bytes:
        """The terminal marker alone, for the fault that repeats it."""

    @abstractmethod
    def done_only(self) -> bytes:
        """What ends the stream without a terminal marker."""

    @abstractmethod
    def malformed(self) -> bytes:
        """A complete event that is not JSON."""

    @abstractmethod
    def error_event(self) -> bytes:
        """An error after the head was sent."""

    @abstractmethod
    def whole(self, usage: str, *, terminal: bool = True) -> bytes:
        """The answer without streaming."""


class Dialect(ABC):
    """One vendor: its routes, its errors, its headers."""

    name: str
    """ollama, claude or openai"""
    generates: frozenset[str]
    """The paths that a fault without `match` applies to."""

    machine: Machine | None = None
    """Where its models live, if on a machine of one's own."""

    @abstractmethod
    def answer(self, request: Request, number: int, at_least: int) -> Whole | Job:
        """`number` makes ids unique; `at_least`: see `answers.plan`."""

    @abstractmethod
    def error(self, status: int, message: str, number: int) -> Whole:
        """The vendor's error form for a status."""
