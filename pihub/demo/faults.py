"""Faults that a test or a curious person injects into a simulated upstream.

| id  | what the client of the simulator sees                                        |
|-----|-------------------------------------------------------------------------------|
| F1  | connections are refused (until removed, or for `seconds`)                      |
| F2  | the request is taken, then silence for `seconds` (120), then a close           |
| F3  | the response head, then silence for `seconds` (120), then a close              |
| F4  | `status` 401 (or 403) in the vendor's error form                               |
| F5  | 429, with `retry-after` if `retry_after` is given                              |
| F6  | `status` 500 (or 503, 529, ...)                                                |
| F7  | 200 with a JSON error body                                                     |
| F8  | 200 with HTML                                                                  |
| F9  | cut (FIN, no terminal marker) after `after_tokens` (40)                        |
| F10 | stall for `seconds` (30) after `after_tokens` (40), then cut                   |
| F11 | one malformed event after `after_tokens` (3), the rest is fine                 |
| F12 | an error event after `after_tokens` (3), then the end of the body              |
| F13 | the terminal marker twice                                                      |
| F14 | no terminal marker, but `data: [DONE]` (Ollama: a clean end of the body)       |
| F15 | `usage`: "missing", "late" or "early"                                          |
| F16 | the model loads: the head comes after `seconds` (180), then all is fine; with  |
|     | `status`, requests get that status until `seconds` after the injection         |
| F17 | cut by RST after `after_tokens` (40)                                           |

Without streaming, F9, F10 and F17 cut the body half-way, F11 sends a body that is no
JSON, F12 is a 500, F13 changes nothing and F14 leaves the stop reason empty.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

KNOWN = frozenset(f"F{n}" for n in range(1, 18))
FIELDS = frozenset(
    {"fault", "times", "after_tokens", "seconds", "status", "retry_after", "usage", "match"}
)
_SECONDS = {"F2": 120.0, "F3": 120.0, "F10": 30.0, "F16": 180.0}
_TOKENS = {"F9": 40, "F10": 40, "F17": 40, "F11": 3, "F12": 3}
_STATUS = {"F4": 401, "F5": 429, "F6": 500}


class FaultError(ValueError):
    """The injected fault is not one that a simulator knows; the text says why."""


@dataclass(slots=True)
class Fault:
    """One injected fault. `times` None: until removed. `match`: a path prefix; empty
    means the endpoints that generate (chat, messages, completions, embeddings)."""

    fault: str
    times: int | None = None
    after_tokens: int = 0
    seconds: float = 0.0
    status: int = 0
    retry_after: str = ""
    usage: str = "missing"
    match: str = ""
    injected: float = field(default_factory=time.monotonic)
    hits: int = 0

    @classmethod
    def parse(cls, raw: Any) -> Fault:
        """From the JSON of `POST /__faults__`; raises FaultError."""
        if not isinstance(raw, dict):
            raise FaultError("a fault is a JSON object")
        unknown = sorted(set(raw) - FIELDS)
        if unknown:
            raise FaultError(f"unknown field {unknown[0]!r}; known: {', '.join(sorted(FIELDS))}")
        name = raw.get("fault")
        if name not in KNOWN:
            raise FaultError(f"unknown fault {name!r}; known: F1 to F17")
        times = raw.get("times")
        if times is not None and (not isinstance(times, int) or times < 1):
            raise FaultError("times is a positive number or null")
        usage = raw.get("usage", "missing")
        if usage not in ("missing", "late", "early"):
            raise FaultError('usage is "missing", "late" or "early"')
        retry_after = raw.get("retry_after")
        try:
            return cls(
                fault=name,
                times=times,
                after_tokens=int(raw.get("after_tokens", _TOKENS.get(name, 0))),
                seconds=float(raw.get("seconds", _SECONDS.get(name, 0.0))),
                status=int(raw.get("status") or _STATUS.get(name, 0)),
                retry_after="" if retry_after is None else str(retry_after),
                usage=usage,
                match=str(raw.get("match", "")),
            )
        except (TypeError, ValueError) as exc:
            raise FaultError(f"a number is wrong: {exc}") from None

    def view(self) -> dict[str, Any]:
        """As JSON, with `hits`: how many requests it has met."""
        return {
            "fault": self.fault,
            "times": self.times,
            "after_tokens": self.after_tokens,
            "seconds": self.seconds,
            "status": self.status,
            "retry_after": self.retry_after,
            "usage": self.usage,
            "match": self.match,
            "hits": self.hits,
        }


class FaultBook:
    """The faults of one simulator, first injected first met."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def view(self) -> list[dict[str, Any]]:
        return [fault.view() for fault in self._faults]

    def take(self, path: str, *, generates: bool) -> Fault | None:
        """The fault that this request meets, if any; counts it."""
        for fault in self._faults:
            if not (path.startswith(fault.match) if fault.match else generates):
                continue
            if fault.fault == "F16" and fault.status and self._age(fault) > fault.seconds:
                self._faults.remove(fault)
                return self.take(path, generates=generates)
            fault.hits += 1
            if fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
            return fault
        return None

    @staticmethod
    def _age(fault: Fault) -> float:
        return time.monotonic() - fault.injected
