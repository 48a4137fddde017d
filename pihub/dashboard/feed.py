"""The page's live feed: each second's change is worked out once, however many look.

Server-sent events (WHATWG HTML, 9.2): one `snapshot`, then a `delta` a second, a comment
when there is nothing else to say. A viewer who missed a document gets a snapshot again.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from pihub.dashboard.history import STEP, STEPS, History, Tick
from pihub.dashboard.verdict import Alert
from pihub.dashboard.view import View, view
from pihub.store.rows import Reports, UsageRow
from pihub.store.sqlite import StoreFault

MOST_VIEWERS = 16
"""Each holds a thread of the control process (about 100 KiB)."""
HEARTBEAT = 15.0
LOOK_UP = 1.5
"""Seconds until a viewer's thread notices that the hub stops."""
LIFETIME = 900.0
"""Seconds of one stream; the page then connects again at once. What is buffered for a
viewer who stopped reading without a word is bounded by it: about 1 MiB."""
MINUTES_KEPT = 5.0
"""Seconds for which the database's minute sums are not asked for again."""


class Source(Protocol):
    """insight.live.Live, as far as the feed needs it."""

    def snapshot(self) -> tuple[int, bytes]: ...
    def wait(self, after: int, timeout: float) -> tuple[int, bytes] | None: ...


class Feed:
    """Documents in, events out. Any thread may call."""

    def __init__(
        self,
        live: Source,
        store: Reports,
        stop: threading.Event,
        build: str = "",
        standing: Callable[[], Iterable[Alert]] = tuple,
    ) -> None:
        """`standing`: open alerts, asked for once a second while somebody looks."""
        self._standing = standing
        self._live = live
        self._store = store
        self._stop = stop
        self._build = build
        self._lock = threading.Lock()
        self._history = History()
        self._sequence = 0
        self._before = 0
        """The document that `_delta` starts from."""
        self._view: View = {}
        self._delta = b""
        self._minutes: tuple[float, list[UsageRow]] = (float("-inf"), [])
        self._viewers = 0

    def page(self) -> tuple[View, dict[str, Any]]:
        """What the page shows first: the view and the chart's series."""
        sequence, document = self._live.snapshot()
        with self._lock:
            self._take(sequence, document)
            return self._view, self._series()

    def watch(self) -> Viewer | None:
        """A stream of events; None if there are too many already. Close it."""
        with self._lock:
            if self._viewers >= MOST_VIEWERS:
                return None
            self._viewers += 1
        return Viewer(self, self._leave)

    def next_event(self, after: int, patience: float) -> tuple[int, bytes] | None:
        """(sequence, event) newer than document `after` (0: a snapshot, at once).

        None when nothing came within `patience` seconds or the hub stops.
        """
        end = time.monotonic() + patience
        found = None if after else self._live.snapshot()
        while found is None:
            if self._stop.is_set() or time.monotonic() >= end:
                return None
            found = self._live.wait(after, min(LOOK_UP, patience))
        if self._stop.is_set():
            return None
        with self._lock:
            self._take(*found)
            if after and self._before == after:
                return self._sequence, self._delta
            return self._sequence, self._snapshot()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def _leave(self) -> None:
        with self._lock:
            self._viewers -= 1

    def _take(self, sequence: int, document: bytes) -> None:
        """Make the next view and its delta, unless another viewer's thread did."""
        if sequence <= self._sequence:
            return
        picture = json.loads(document)
        tick = self._history.add(picture)
        new = view(picture, self._standing())
        self._delta = event("delta", sequence, delta(self._view, new, tick))
        self._before, self._sequence = self._sequence, sequence
        self._view = new

    def _snapshot(self) -> bytes:
        data = {"build": self._build, **self._view, "chart": self._series()}
        return event("snapshot", self._sequence, data)

    def _series(self) -> dict[str, Any]:
        now, at = time.monotonic(), float(self._view["at"])
        if now - self._minutes[0] > MINUTES_KEPT:
            start = int(at) - STEP * STEPS - 60
            try:
                rows = self._store.usage(start, int(at) + 60, "minute", "none")
            except StoreFault:
                rows = []  # the page says elsewhere that the database does not answer
            self._minutes = (now, rows)
        return self._history.series(at, self._minutes[1])


class Viewer:
    """One page's stream: an iterator of bytes for the WSGI server."""

    def __init__(self, feed: Feed, leave: Callable[[], None]) -> None:
        self._feed = feed
        self._leave: Callable[[], None] | None = leave
        self._sequence = 0
        self._end = time.monotonic() + LIFETIME

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._leave is None or self._feed.stopping:
            raise StopIteration
        if time.monotonic() > self._end:
            self.close()
            return b"retry: 50\n\n"
        first = not self._sequence
        found = self._feed.next_event(self._sequence, HEARTBEAT)
        if found is None:
            if self._feed.stopping:
                raise StopIteration
            return b": still here\n\n"
        self._sequence, data = found
        return b"retry: 3000\n" + data if first else data

    def close(self) -> None:
        """Make room for another viewer; idempotent."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()

    def __del__(self) -> None:
        self.close()


def event(kind: str, sequence: int, data: Any) -> bytes:
    """One server-sent event; JSON without line breaks is one `data` line."""
    text = json.dumps(data, separators=(",", ":"))
    return f"event: {kind}\nid: {sequence}\ndata: {text}\n\n".encode("ascii")


def delta(old: View, new: View, tick: Tick) -> dict[str, Any]:
    """What changed: single texts, whole short lists, and only the new requests."""
    out: dict[str, Any] = {"at": new["at"], "tick": [tick.step, *tick.point]}
    texts = old.get("texts", {})
    changed = {name: text for name, text in new["texts"].items() if texts.get(name) != text}
    if changed:
        out["texts"] = changed
    for name in ("tone", "alerts", "upstreams", "processes"):
        if old.get(name) != new[name]:
            out[name] = new[name]
    newest = max((one["id"] for one in old.get("requests", ())), default=0)
    rows = [one for one in new["requests"] if one["id"] > newest]
    if rows:
        out["requests"] = rows
    return out
