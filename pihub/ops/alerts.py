"""Alerts: rules over signals, with hysteresis; told once, silenced, acknowledged, kept.

A signal that breaks its rule for `after` seconds opens an alert of that rule and subject, of
which there is one at a time, across restarts too. It closes when the signal was beyond
`clear` for as long (at least HOLD). One that comes back within AGAIN is the same alert.

An open alert says what is true now. That is kept in memory and written at its words and its
end, or once in WRITE_EVERY, so that a number that moves each five seconds wears out no SD card.

Each word to subscribers has a number, which is stored after the word was committed for
delivery. A crash in between says it again under the same number: the delivery's
deduplication drops it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pihub.errors import BadRequest, NotFound
from pihub.ops.signals import Signal, Signals
from pihub.settings.alerts import AlertRule
from pihub.store.alerts import AlertRow, AlertRows, SilenceRow
from pihub.store.sqlite import StoreFault

log = logging.getLogger("pihub.alerts")

HOLD = 15.0
"""Seconds of being well, at least, before an alert ends."""
AGAIN = 600
MOST_OPEN = 200
"""Open alerts; more are not opened. RAM: some 500 bytes each."""
LONGEST_SILENCE = 30 * 86400
PRUNE_EVERY = 3600.0
WRITE_EVERY = 300.0
"""Seconds, at least, between two writes of what an open alert says."""


class Word(NamedTuple):
    """What subscribers are told."""

    alert: AlertRow
    kind: str
    """`alert.opened`, `alert.closed`, `alert.reminder`"""
    number: int
    """Of this alert's words, from 1: with its id the key of the event."""
    at: int
    subject: str = ""
    """The alert's, as people call it."""


class Tell(Protocol):
    """Commits a word for delivery."""

    def __call__(self, word: Word) -> bool:
        """False: not now, it is tried again. True also where nobody wants to know."""


class View(NamedTuple):
    """An alert with what is true of it now."""

    row: AlertRow
    silenced: bool
    changed: int = 0
    """Unix seconds of the last change of what it says, 0: none was seen by this process."""


@dataclass
class _Watched:
    broken_since: float | None = None
    well_since: float | None = None
    said: Signal | None = None
    """Of an open alert: the last signal that was not well again,"""
    changed: int = 0
    """since when that says so,"""
    written: float = 0.0
    """and when it was written last."""


class AlertService:
    """`turn` by one thread; the rest from any."""

    def __init__(
        self,
        rules: Mapping[str, AlertRule],
        rows: AlertRows,
        tell: Tell,
        *,
        repeat: float,
        keep_days: int,
        clock: Callable[[], float] = time.time,
        named: Callable[[str], str] = str,
    ) -> None:
        """`named`: a subject as people call it."""
        self.named = named
        self.rules = rules
        self._rows = rows
        self._tell = tell
        self._repeat = repeat
        self._keep = keep_days * 86400
        self._clock = clock
        self._lock = threading.Lock()
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._pruned = float("-inf")
        self._open: tuple[View, ...] = ()

    # ---- the watch ----------------------------------------------------------------------

    def turn(self, signals: Signals) -> None:
        """Judge what is known now, then tell what is new. A failing store changes nothing."""
        now = self._clock()
        with self._lock:
            try:
                rows = {(r.rule, r.subject): r for r in self._rows.unsettled() if r.open}
                for name, rule in self.rules.items():
                    known = signals.get(rule.measure or "")
                    if known is not None:
                        self._judge(name, rule, known, rows, now)
                for one in rows.values():
                    if one.rule not in self.rules:
                        self._close(one, now)
                self._speak(int(now))
                if now - self._pruned >= PRUNE_EVERY:
                    self._pruned = now
                    self._rows.prune(int(now) - self._keep, int(now))
            except StoreFault as error:
                log.warning("alerts cannot be kept: %s", error)

    def _judge(
        self,
        name: str,
        rule: AlertRule,
        known: Mapping[str, Signal],
        rows: dict[tuple[str, str], AlertRow],
        now: float,
    ) -> None:
        for key in [one for one in rows if one[0] == name and one[1] not in known]:
            self._close(rows.pop(key), now)
        # How it was while nobody knew counts for nothing.
        for key in [one for one in self._watched if one[0] == name and one[1] not in known]:
            del self._watched[key]
        for subject, signal in known.items():
            key = (name, subject)
            row = rows.get(key)
            watched = self._watched.setdefault(key, _Watched())
            after = rule.after or 0.0
            if row is None:
                watched.well_since = None
                if not breaks(rule, signal.value):
                    self._watched.pop(key)
                    continue
                if watched.broken_since is None:
                    watched.broken_since = now
                if now - watched.broken_since >= after and len(rows) < MOST_OPEN:
                    rows[key] = self._begin(name, rule, subject, signal, now)
                continue
            watched.broken_since = None
            if not over(rule, signal.value):
                watched.well_since = None
                self._follow(row, watched, signal, now)
                continue
            if watched.well_since is None:
                watched.well_since = now
            if now - watched.well_since >= max(after, HOLD):
                self._close(row, now)
                del rows[key]
                self._watched.pop(key)

    def _begin(
        self, name: str, rule: AlertRule, subject: str, signal: Signal, now: float
    ) -> AlertRow:
        severity = rule.severity or "warning"
        before = self._rows.last(name, subject, int(now) - AGAIN)
        if before is not None:
            row = before._replace(
                closed=0, times=before.times + 1, value=signal.value, text=signal.text,
                severity=severity,
            )  # fmt: skip
            self._rows.change(row)
        else:
            row = AlertRow(
                0, name, subject, severity, signal.text, signal.value, int(now), 0, 1, 0, "",
                0, 0, 0,
            )  # fmt: skip
            row = row._replace(id=self._rows.add(row))
        log.warning("alert %d, %s: %s", row.id, name, signal.text)
        return row

    def _follow(self, row: AlertRow, watched: _Watched, signal: Signal, now: float) -> None:
        """What is true of an open alert now."""
        before = row.text if watched.said is None else watched.said.text
        if signal.text != before:
            watched.changed = int(now)
        watched.said = signal
        if signal.text != row.text and now - watched.written >= WRITE_EVERY:
            watched.written = now
            self._rows.change(self._now(row)[0])

    def _now(self, row: AlertRow) -> tuple[AlertRow, int]:
        """(as it is now, when that changed)"""
        watched = self._watched.get((row.rule, row.subject))
        if not row.open or watched is None or watched.said is None:
            return row, 0
        return row._replace(value=watched.said.value, text=watched.said.text), watched.changed

    def _close(self, row: AlertRow, now: float) -> None:
        self._rows.change(self._now(row)[0]._replace(closed=max(int(now), 1)))
        log.info("alert %d, %s of %s: over", row.id, row.rule, row.subject)

    # ---- words --------------------------------------------------------------------------

    def _speak(self, now: int) -> None:
        silences = self._rows.silences(now)
        shown = []
        for kept in self._rows.unsettled():
            row, changed = self._now(kept)
            quiet = is_silenced(row, silences)
            if row.open:
                shown.append(View(row, quiet, changed))
            kind = self._due(row, quiet, now)
            if kind and self._tell(
                Word(row, kind, row.told + 1, now, self.named(row.subject))
            ):
                self._rows.change(
                    row._replace(told=row.told + 1, told_open=int(row.open), told_at=now)
                )
        self._open = tuple(shown)

    def _due(self, row: AlertRow, quiet: bool, now: int) -> str:
        """The word that is due, or none. An end that follows a told beginning is always told."""
        if not row.open:
            return "alert.closed" if row.told_open else ""
        if quiet:
            return ""
        if not row.told_open:
            # Back soon after its end was told: once in AGAIN is enough.
            return "alert.opened" if now - row.told_at >= AGAIN or not row.told else ""
        if self._repeat and not row.acknowledged and now - row.told_at >= self._repeat:
            return "alert.reminder"
        return ""

    # ---- what people do -----------------------------------------------------------------

    def open(self) -> tuple[View, ...]:
        """As of the last look; no query."""
        return self._open

    def page(
        self, count: int, *, before: int | None = None, after: int | None = None,
        open_only: bool = False, rule: str = "",
    ) -> list[View]:  # fmt: skip
        silences = self._rows.silences(int(self._clock()))
        rows = self._rows.page(count, before=before, after=after, open_only=open_only, rule=rule)
        return [self._view(row, silences) for row in rows]

    def one(self, number: int) -> View:
        """Raises NotFound."""
        row = self._rows.one(number)
        if row is None:
            raise NotFound(f"there is no alert {number}")
        return self._view(row, self._rows.silences(int(self._clock())))

    def _view(self, kept: AlertRow, silences: Iterable[SilenceRow]) -> View:
        row, changed = self._now(kept)
        return View(row, is_silenced(row, silences), changed)

    def acknowledge(self, number: int, by: str) -> View:
        """Somebody cares for it: no more reminders. Raises NotFound."""
        with self._lock:
            row = self._rows.acknowledge(number, by, int(self._clock()))
        if row is None:
            raise NotFound(f"there is no alert {number}")
        return self.one(number)

    def silences(self) -> list[SilenceRow]:
        return self._rows.silences(int(self._clock()))

    def silence(self, rule: str, subject: str, seconds: int, by: str, reason: str) -> SilenceRow:
        """Nothing is told of it for so long; it is still shown. Raises BadRequest."""
        if rule not in self.rules:
            raise BadRequest(f"there is no rule {rule[:50]!r} in force", param="rule")
        now = int(self._clock())
        until = now + min(seconds, LONGEST_SILENCE)
        with self._lock:
            number = self._rows.silence(rule, subject, until, by, reason, now)
        return SilenceRow(number, rule, subject, until, by, reason, now)

    def unsilence(self, number: int) -> SilenceRow:
        """End it now. Raises NotFound."""
        with self._lock:
            found = next((one for one in self.silences() if one.id == number), None)
            if found is None:
                raise NotFound(f"there is no silence {number}")
            self._rows.unsilence(number)
        return found


def breaks(rule: AlertRule, value: float) -> bool:
    if rule.above is not None:
        return value >= rule.above
    return rule.below is not None and value <= rule.below


def over(rule: AlertRule, value: float) -> bool:
    """Well again: not only within the bound but beyond `clear`."""
    if rule.clear is None:
        return not breaks(rule, value)
    return value <= rule.clear if rule.above is not None else value >= rule.clear


def is_silenced(row: AlertRow, silences: Iterable[SilenceRow]) -> bool:
    return any(one.rule == row.rule and one.subject in ("", row.subject) for one in silences)
