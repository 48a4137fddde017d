"""Two calls of one request at once: the first with a content byte wins.

Each call runs beside the request (Waiter.spawn) with an exchange of its own, so that
neither sees what the other has received. It believes in a client of its own: the end of a
pipe, which is closed to make it leave as if its client had. So the loser ends by the rules
of any call whose client has left: its connection is closed, its place in a queue given up,
a half-open probe's lease given back, nothing said against its upstream.

The request does not wait for the loser to notice. What the loser has cost is what it had
told at the moment when it lost, as of any answer that is broken off, and is counted once:
whatever it hears afterwards is nobody's.

RAM: a greenlet or thread and two descriptors a call, one descriptor a race, until they end.
"""

from __future__ import annotations

import copy
import dataclasses
import os
import threading
from collections.abc import Callable
from functools import partial
from time import monotonic

from pihub.domain.ports import Piece, Waiter
from pihub.domain.target import Target
from pihub.errors import ClientGone
from pihub.gateway.exchange import Exchange
from pihub.gateway.pieces import heard

FOREVER = float("inf")
MERGED = (
    "answer", "ask", "dialed_ns", "goes_on", "hold", "live", "notes", "passes", "pieces", "plan",
    "queued_ns", "raw", "raw_stop", "stops", "ttft_us", "usage",
)  # fmt: skip
"""What a call sets in its exchange, and the winner's becomes the request's."""


class Racer:
    """One of the calls. `Call` and `Receive` find it at `Exchange.race`."""

    def __init__(self, race: Race, x: Exchange, target: Target) -> None:
        """Raises OSError if there is no descriptor left."""
        self.race = race
        self.target = target
        self.client_fd = x.request.client_fd
        """The real client's."""
        self.began = monotonic()
        self.first_at = 0.0
        """When its first content came, if it has won."""
        self.held: list[Piece] = []
        """What it has heard before its first content."""
        self.calling = False
        """Its request is at the upstream."""
        self.stays = False
        """Its answer is received to its end although the client leaves."""
        self.done = False
        self.error: Exception | None = None
        self._freed = False
        self._watched, self._end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.x = copy.copy(x)
        self.x.request = dataclasses.replace(x.request, client_fd=self._watched)
        self.x.plan = copy.copy(x.plan)
        self.x.beside, self.x.live, self.x.hold, self.x.race = (), None, None, self

    def first(self) -> bool:
        """Its first content has come: whether it is the first of all. The others leave."""
        race = self.race
        with race.lock:
            if race.over or race.winner not in (None, self):
                return False
            race.winner = self
            self.first_at = monotonic()
            for other in race.racers:
                if other is not self:
                    other.leave()
        return True

    def leave(self) -> None:
        """Its next wait, or the one that it is in, ends as if its client had left."""
        end, self._end = self._end, -1
        if end >= 0:
            os.close(end)

    def drop(self) -> None:
        """It does not run after all."""
        self.leave()
        os.close(self._watched)

    def run(self, call: Callable[[Exchange, Target], None]) -> None:
        try:
            call(self.x, self.target)
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            self.error = error
        with self.race.lock:
            self.done = True
            os.close(self._watched)
            if self._freed:
                self._close_row()
            self.race.tell()

    def free(self) -> None:
        """The request's record is written: the row of live streams is not needed any more."""
        with self.race.lock:
            self._freed = True
            self._close_row()

    def _close_row(self) -> None:
        live, self.x.live = self.x.live, None
        if live is not None:
            live.close()


class Race:
    """Of one request. Raises OSError if there is no descriptor left."""

    def __init__(self, x: Exchange, waiter: Waiter, paid: Callable[[Target], bool]) -> None:
        self._x = x
        self._waiter = waiter
        self._paid = paid
        self._attempts, self._lost = x.attempts, len(x.lost)
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.lock = threading.Lock()
        self.racers: list[Racer] = []
        self.winner: Racer | None = None
        self.over = False

    def enter(self, racer: Racer, call: Callable[[Exchange, Target], None]) -> None:
        """Raises RuntimeError if there is no thread left."""
        self.racers.append(racer)
        self._x.beside = (*self._x.beside, racer.x)
        try:
            self._waiter.spawn(partial(racer.run, call))
        except BaseException:
            self.racers.remove(racer)
            racer.drop()
            raise

    def tell(self) -> None:
        """A racer is done; under the lock."""
        if not self.over:
            os.eventfd_write(self._fd, 1)

    def wait(self, until: float) -> bool:
        """Whether it is decided by `until`, in `monotonic` seconds. Raises ClientGone."""
        client_fd = self._x.request.client_fd
        while not self._decided():
            try:
                self._waiter.wait(self._fd, deadline=until, client_fd=client_fd)
            except TimeoutError:
                return self._decided()
            except ClientGone:
                if not any(one.stays and not one.done for one in self.racers):
                    raise
                client_fd = -1
            finally:
                _drain(self._fd)
        return True

    def _decided(self) -> bool:
        if self.winner is not None:
            return self.winner.done
        return all(one.done for one in self.racers)

    def end(self) -> None:
        """Once, whatever has happened: who is still running leaves. The winner's answer, and
        what all of them have cost, become the request's."""
        x = self._x
        with self.lock:
            self.over = True
            os.close(self._fd)
            for one in self.racers:
                one.leave()
                lost = one.x.lost[self._lost :]
                x.lost = (*x.lost, *lost)
                x.attempts += one.x.attempts - self._attempts
                working = not one.done and one.calling and self._paid(one.target)
                if working and not any(target is one.target for target, _ in lost):
                    x.lost = (*x.lost, (one.target, heard(list(one.held))))
            won = self.winner
            if won is not None and won.error is None:
                for name in MERGED:
                    setattr(x, name, getattr(won.x, name))
                won.x.hold = won.x.live = None


def _drain(fd: int) -> None:
    try:
        os.eventfd_read(fd)
    except BlockingIOError:
        pass
