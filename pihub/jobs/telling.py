"""Subscribers hear of the jobs that have ended: each in a lane of its own, one job after the other,
since one that does not answer would otherwise hold up what the others are waiting for."""

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
"""Seconds between two looks without a reason, and until a lane that failed begins again."""
LANES = 16
"""Subscribers that are told at once; the next one's turn comes with a lane's end. RAM: a thread
each while there is something to tell, about 100 KiB."""


class Told(NamedTuple):
    """What came of telling one."""

    taken: bool
    wait: float | None = None
    """Seconds until it is told again; None: never."""
    tried: bool = True
    """False: it was not sent, since its subscriber is left alone for now."""


Tell = Callable[[Job], Told]
"""Deliver a job's webhook: from many threads, for each subscriber from one."""


class Telling:
    """`run` is a thread, which starts those of the lanes and outlives them."""

    def __init__(
        self, store: JobStore, tell: Tell, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._tell = tell
        self._clock = clock
        self._changed = threading.Event()
        self._lanes: dict[str, threading.Thread] = {}
        """By subscriber. The thread of `run` puts one in, the lane itself takes it out."""
        self._rest: dict[str, float] = {}
        """Of those whose lane failed: until when."""

    def wake(self) -> None:
        """A job may have ended."""
        self._changed.set()

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._changed.clear()
            try:
                wait = self._begin(stop)
            except Exception as error:  # noqa: BLE001 - told by the next line
                _say_why("subscribers", error)
                wait = LONGEST
            self._changed.wait(wait)
        for lane in list(self._lanes.values()):
            lane.join()

    def _begin(self, stop: threading.Event) -> float:
        """A lane for each who is due and has none; seconds until the next is due."""
        now, wait = self._clock(), LONGEST
        for name, at in self._store.listeners().items():
            due = max(at, self._rest.get(name, 0.0))
            if name in self._lanes or (due <= now and len(self._lanes) >= LANES):
                continue  # a lane's end wakes
            if due > now:
                wait = min(wait, due - now)
                continue
            lane = threading.Thread(
                target=self._work, args=(name, stop), name=f"tell-{name}", daemon=True
            )
            self._lanes[name] = lane
            try:
                lane.start()
            except BaseException:
                del self._lanes[name]
                raise
        return max(0.01, wait)

    def _work(self, name: str, stop: threading.Event) -> None:
        """Each that is due at one subscriber, once."""
        try:
            for job in self._store.untold(name, self._clock()):
                if stop.is_set():
                    break
                self._one(job)
            self._rest.pop(name, None)
        except Exception as error:  # noqa: BLE001 - told below
            self._rest[name] = self._clock() + LONGEST
            _say_why(name, error)
        finally:
            del self._lanes[name]
            self._changed.set()

    def _one(self, job: Job) -> None:
        told = self._tell(job)
        tries = job.tell_tries + told.tried
        if told.taken:
            self._store.change([job.id], told=1, tell_tries=tries)
        elif told.wait is None:
            self._store.change([job.id], told=2, tell_tries=tries)
        else:
            at = self._clock() + told.wait
            self._store.change([job.id], tell_at=at, tell_tries=tries)


def _say_why(whom: str, error: Exception) -> None:
    if isinstance(error, PihubError):
        log.warning("%s cannot be told of ended jobs: %s (%s)", whom, error.message, error.code)
    else:
        log.error("%s cannot be told of ended jobs", whom, exc_info=error)
