"""Subscribers hear of the jobs that have ended: in a thread of its own, since one that does not
answer would otherwise hold up every job."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from pihub.errors import PihubError
from pihub.store.jobs import Job, JobStore

log = logging.getLogger("pihub.jobs")

LONGEST = 30.0
"""Seconds between two looks without a reason."""


class Told(NamedTuple):
    """What came of telling one."""

    taken: bool
    wait: float | None = None
    """Seconds until it is told again; None: never."""
    tried: bool = True
    """False: it was not sent, since its subscriber is left alone for now."""


Tell = Callable[[Job], Told]
"""Deliver a job's webhook."""


class Telling:
    """`run` is the thread."""

    def __init__(
        self, store: JobStore, tell: Tell, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._tell = tell
        self._clock = clock
        self._changed = threading.Event()

    def wake(self) -> None:
        """A job may have ended."""
        self._changed.set()

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._changed.clear()
            try:
                self.step()
                wait = self._wait()
            except PihubError as error:
                log.warning("ended jobs cannot be told of: %s (%s)", error.message, error.code)
                wait = LONGEST
            except Exception:
                log.exception("ended jobs cannot be told of")
                wait = LONGEST
            self._changed.wait(wait)

    def step(self) -> None:
        """Each that is due, once."""
        for job in self._store.untold(self._clock()):
            told = self._tell(job)
            tries = job.tell_tries + told.tried
            if told.taken:
                self._store.change([job.id], told=1, tell_tries=tries)
            elif told.wait is None:
                self._store.change([job.id], told=2, tell_tries=tries)
            else:
                at = self._clock() + told.wait
                self._store.change([job.id], tell_at=at, tell_tries=tries)

    def _wait(self) -> float:
        """Seconds until the next is due."""
        now = self._clock()
        due = self._store.untold(now + LONGEST, 1)
        return max(0.01, due[0].tell_at - now) if due else LONGEST
