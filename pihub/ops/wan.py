"""Is anything outside reached? Looked at only while it is in doubt.

Doubt begins when an upstream outside could not be reached, or its name not be resolved, a
moment ago. Then a TCP connection to each of them, closed at once, tells: it costs nobody
anything and carries no key. Several looks in a row must agree, both ways.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from pihub.errors import UpstreamTimeout, UpstreamUnreachable
from pihub.settings.offline import Offline
from pihub.shared.dns import decode
from pihub.shared.health import HealthBoard
from pihub.shared.state import SharedState
from pihub.shared.wan import Mode, Wan, WanState, publish

log = logging.getLogger("pihub.wan")

PATIENCE = 2.0
"""Seconds for one connection."""
MOST = 8
"""Hosts that are tried in one look."""
DOUBT = 60.0
"""Seconds for which a failure casts doubt."""
CALM = 1.0
"""Seconds between two looks at what workers noted, while there is no doubt."""
_UNREACHED = frozenset({UpstreamUnreachable.code, UpstreamTimeout.code})


class Place(NamedTuple):
    """Where an upstream outside is."""

    upstream: str
    host: str
    port: int


Connects = Callable[[str, int], bool]


class WanWatch:
    """`run` is the thread; `set` may be called from any."""

    def __init__(
        self,
        state: SharedState,
        health: HealthBoard,
        places: tuple[Place, ...],
        settings: Offline,
        connects: Connects | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.places = places
        self._board = state.wan
        self._dns = state.dns
        self._health = health
        self._settings = settings
        self._connects = connects or _connects
        self._clock = clock
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._wan = Wan(state.wan)
        self._agreed = 0
        """Looks in a row that contradict the state."""
        self._since = clock()
        """Failures before that cast no doubt."""
        self._down = self._wan.offline()
        """By the last looks, whatever is said by hand."""

    def state(self) -> WanState:
        return self._wan.state()

    def set(self, mode: Mode, seconds: float = 0.0) -> WanState:
        """By hand, for a while or (0) until it is said otherwise; in force when it returns."""
        with self._lock:
            until = self._clock() + seconds if seconds and mode != "auto" else 0.0
            self._publish(mode, until)
        self._changed.set()
        return self.state()

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                wait = self.turn()
            except Exception:
                log.exception("it could not be seen whether anything outside is reached")
                wait = self._settings.probe
            self._changed.wait(wait)
            self._changed.clear()

    def wake(self) -> None:
        self._changed.set()

    def turn(self) -> float:
        """One look; seconds until the next."""
        now = self._clock()
        doubt = self._down or bool(self._agreed) or self._doubted(now)
        if doubt and self.places:
            self._judge(self._reached())
        with self._lock:
            state = self.state()
            ended = bool(state.until) and state.until <= now
            self._publish("auto" if ended else state.mode, 0.0 if ended else state.until)
        return self._settings.probe if doubt else min(CALM, self._settings.probe)

    def _judge(self, reached: bool) -> None:
        if reached != self._down:
            self._agreed = 0
            return
        self._agreed += 1
        needed = self._settings.successes if reached else self._settings.failures
        if self._agreed < needed:
            return
        self._agreed = 0
        self._down = not reached
        if reached:
            self._since = self._clock()  # what failed until now was the line

    def _doubted(self, now: float) -> bool:
        names = decode(self._dns.read()[1])
        for place in self.places:
            found = names.get(place.host.lower())
            if found is not None and found.error:
                return True
            error = self._health.error(place.upstream)
            if (
                error is not None
                and error.code in _UNREACHED
                and not error.status
                and error.at >= max(self._since - 1, now - DOUBT)
            ):
                return True
        return False

    def _reached(self) -> bool:
        """Whether any place takes a connection; by the addresses that workers use."""
        names = decode(self._dns.read()[1])
        for host, port in list(dict.fromkeys((p.host, p.port) for p in self.places))[:MOST]:
            found = names.get(host.lower())
            known = [] if found is None else [text for _, text in found.addresses]
            if any(self._connects(address, port) for address in known[:2]):
                return True
        return False

    def _publish(self, mode: Mode, until: float) -> None:
        """If it differs from what is said. `mode`: by hand; the configuration's goes behind."""
        old = self.state()
        wanted = mode if mode != "auto" else self._settings.mode
        offline = self._down if wanted == "auto" else wanted == "on"
        if (offline, mode, until) == (old.offline, old.mode, old.until):
            return
        since = self._clock() if offline != old.offline else old.since
        publish(self._board, WanState(offline, since, mode, until))
        if offline == old.offline:
            return
        log.warning("the hub is offline" if offline else "the hub is online again")
        if not offline:
            for place in self.places:
                self._health.half_open(place.upstream)


def _connects(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), PATIENCE):
            return True
    except OSError:
        return False


def said(state: WanState) -> str:
    """For people."""
    if not state.offline:
        return "The hub is online."
    since = time.strftime("%H:%M", time.localtime(state.since))
    how = "by hand" if state.mode == "on" else "nothing outside is reached"
    return (
        f"The hub is offline since {since} ({how}): cloud models are answered from kept answers, "
        "by local models or later."
    )
