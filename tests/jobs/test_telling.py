"""Who hears of ended jobs, and when: a real store, subscribers that hang while a test wants."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pihub.errors import ControlUnavailable
from pihub.jobs.telling import LANES, LONGEST, Telling, Told
from pihub.store.jobs import Job, JobStore

PATIENCE = 60.0
"""Seconds; far more than anything here takes."""


class Square:
    """A running `Telling`; those whose name begins with `slow` take nothing before `answer`."""

    def __init__(self, folder: Path) -> None:
        self.store = JobStore(folder / "jobs.db")
        self.answer = threading.Event()
        self.heard: list[str] = []
        """Who took one, in order."""
        self.asked = Counter[str]()
        self.inside = Counter[str]()
        self.most = Counter[str]()
        """At one subscriber at once."""
        self.crowd = 0
        """At all of them at once."""
        self.broken = ""
        self.ahead = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.telling = Telling(self.store, self.tell, lambda: time.time() + self.ahead)
        self._thread = threading.Thread(target=self.telling.run, args=(self._stop,))

    def add(self, *names: str) -> None:
        for name in names:
            number = len(self.store.newest(10_000))
            self.store.add(
                Job(
                    id=f"job_{number:032x}", rid=number, tenant=1, key=1, route=1, model="m",
                    protocol="openai", alias="m", upstream="u", created=1.0, deadline=2.0,
                    state="done", ended=1.0, tell_at=float(number), webhook=name,
                ), b"{}",
            )  # fmt: skip

    def tell(self, job: Job) -> Told:
        name = job.webhook
        with self._lock:
            self.asked[name] += 1
            self.inside[name] += 1
            self.most[name] = max(self.most[name], self.inside[name])
            self.crowd = max(self.crowd, self.inside.total())
        if name == self.broken:
            raise ControlUnavailable("broken")
        if name.startswith("slow"):
            assert self.answer.wait(PATIENCE)
        with self._lock:
            self.inside[name] -= 1
            self.heard.append(name)
        return Told(True)

    def start(self) -> None:
        self._thread.start()

    def ends_within(self, seconds: float) -> bool:
        """Told to end, it has."""
        self._stop.set()
        self.telling.wake()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def stop(self) -> None:
        self._stop.set()
        self.telling.wake()
        self.answer.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)
            assert not self._thread.is_alive()
        self.store.close()

    def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, (self.heard, self.asked)
            time.sleep(0.005)


@pytest.fixture
def square(tmp_path: Path) -> Iterator[Square]:
    made = Square(tmp_path)
    yield made
    made.stop()


def test_who_hangs_holds_up_nobody_else(square: Square) -> None:
    square.add(*["slow"] * 150, "quick", "quick")
    square.start()
    square.until(lambda: square.heard == ["quick", "quick"])
    square.add("late")
    square.telling.wake()
    square.until(lambda: "late" in square.heard)
    assert square.asked["slow"] <= 1, "one after the other"
    square.answer.set()
    square.until(lambda: len(square.heard) == 153)
    assert square.most == {"slow": 1, "quick": 1, "late": 1}
    square.until(lambda: not square.store.listeners())


def test_no_more_than_so_many_are_told_at_once(square: Square) -> None:
    square.add(*(f"slow{n}" for n in range(LANES + 3)))
    square.start()
    square.until(lambda: square.asked.total() == LANES)
    square.telling.wake()
    square.answer.set()
    square.until(lambda: len(square.heard) == LANES + 3)
    assert square.crowd == LANES


def test_what_fails_at_one_is_tried_again_later_and_stops_nobody(square: Square) -> None:
    square.broken = "broken"
    square.add("broken", "quick")
    square.start()
    square.until(lambda: square.heard == ["quick"] and square.asked["broken"] == 1)
    square.add("other")
    square.telling.wake()
    square.until(lambda: "other" in square.heard)
    assert square.asked["broken"] == 1, "not at each look"
    square.broken, square.ahead = "", LONGEST + 1
    square.telling.wake()
    square.until(lambda: "broken" in square.heard)


def test_it_ends_after_what_it_has_begun(tmp_path: Path) -> None:
    square = Square(tmp_path)
    square.add("slow", "slow")
    square.start()
    square.until(lambda: square.asked["slow"] == 1)
    assert not square.ends_within(0.2), "the store would be closed under it"
    square.stop()
    assert square.heard == ["slow"], "the second is told after the next start"
