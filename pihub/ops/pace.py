"""How fast upstreams and models are, each against its own usual: from the stored records.

An upstream's latency is the time to its first content byte (of an API: to the end). A
model's pace is its tokens a second, for each version of Ollama apart, and streams apart
from whole answers: a whole answer's time holds the reading of the prompt as well.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from pihub.domain.trend import Baseline
from pihub.shared.events import ANSWERED_HERE, Flag, Record

LEAST_TOKENS = 16
"""Of an answer whose speed says anything."""
MOST = 128
"""Paces that are kept; the one that was longest unused goes. RAM: 300 bytes each."""


class Key(NamedTuple):
    """What a pace is of."""

    upstream: str
    model: str = ""
    """Empty: the upstream's latency, in milliseconds; else tokens a second."""
    version: str = ""
    """Of the Ollama that served it; empty where nobody tells."""
    whole: bool = False
    """Not streamed."""

    @property
    def label(self) -> str:
        if not self.model:
            return f"latency {self.upstream}"
        kind = "whole" if self.whole else "streamed"
        return f"pace {self.upstream}/{self.model} {kind} {self.version}".rstrip()


class Lookup(Protocol):
    """`_core.names.Names`."""

    def lookup(self, index: int) -> str: ...


class Pace:
    """Fed by the recorder's thread with what was stored, read by any."""

    def __init__(self, names: Lookup, version: Callable[[str], str]) -> None:
        """`version`: of an upstream's Ollama, empty if unknown."""
        self._names = names
        self._version = version
        self._lock = threading.Lock()
        self._known: dict[Key, Baseline] = {}

    def stored(self, records: Sequence[bytes]) -> None:
        """About 2 us a record."""
        for raw in records:
            self.add(Record.unpack(raw))

    def add(self, one: Record) -> None:
        if not one.upstream or one.status >= 400 or one.cache in ANSWERED_HERE:
            return
        if one.flags & (Flag.CLIENT_GONE | Flag.ERROR):
            return
        upstream = self._names.lookup(one.upstream)
        first = one.ttft_us or one.dur_us
        if first:
            self._take(Key(upstream), first / 1000)
        if one.out_tok < LEAST_TOKENS or not one.model:
            return
        streamed = bool(one.flags & Flag.STREAM)
        spent = one.dur_us - one.ttft_us if streamed else one.dur_us
        if spent > 0:
            key = Key(
                upstream, self._names.lookup(one.model), self._version(upstream), not streamed
            )
            self._take(key, one.out_tok * 1e6 / spent)

    def _take(self, key: Key, value: float) -> None:
        with self._lock:
            # The newest use last: the first one is the one to go.
            found = self._known.pop(key, None) or Baseline()
            if len(self._known) >= MOST:
                del self._known[next(iter(self._known))]
            self._known[key] = found
            found.add(value)

    def all(self) -> dict[Key, Baseline]:
        with self._lock:
            return {
                key: Baseline(one.usual, one.spread, one.count, one.now)
                for key, one in self._known.items()
            }

    def restore(self, known: Mapping[Key, Baseline]) -> None:
        """What an earlier process learnt; what this one learnt meanwhile stays."""
        with self._lock:
            self._known = {**known, **self._known}


class Versions:
    """Which version each Ollama says it is; one that does not answer keeps its last."""

    def __init__(self, ask: Mapping[str, Callable[[], str]]) -> None:
        """`ask`, by upstream: raises OSError or ValueError."""
        self._ask = ask
        self._known: dict[str, str] = {}

    def look(self) -> None:
        """Blocks for up to three seconds for each that does not answer."""
        for name, ask in self._ask.items():
            with contextlib.suppress(OSError, ValueError):
                self._known[name] = ask()[:40]

    def of(self, upstream: str) -> str:
        """Empty: unknown."""
        return self._known.get(upstream, "")

    def all(self) -> dict[str, str]:
        return dict(self._known)
