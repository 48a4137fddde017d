"""Many callers' changes in one transaction: one fsync serves all that wait for it.

While a commit is on its way to the disk, work gathers; the next transaction takes all of
it. A caller's own mistake undoes that caller's work alone; a disk that takes nothing
fails everybody, and nothing of theirs is kept.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from pihub.store.sqlite import Connection, Database, StoreFault

log = logging.getLogger("pihub.store")

T = TypeVar("T")
Work = Callable[[Connection], Any]
Done = Callable[[Any, Exception | None], None]
"""(what the work returned, None) after the commit, or (None, why there was none)."""

MOST = 512
"""Works of one transaction."""
WAITING = 4096
"""Works that may wait; more are refused. RAM: what they hold, some kB each."""


class Closed(RuntimeError):
    """The committer has ended: nothing was done."""


class Full(RuntimeError):
    """Too much waits already: nothing was done."""


class GroupCommit:
    """One thread (`run`) is the database's only writer; the rest from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ready = threading.Condition()
        self._waiting: deque[tuple[Work, Done]] = deque()
        self._closed = False
        self.transactions = 0
        self.failures = 0

    def submit(self, work: Work, done: Done) -> None:
        """`done` is called in the committer's thread. Raises Closed or Full."""
        with self._ready:
            if self._closed:
                raise Closed("the store is closing")
            if len(self._waiting) >= WAITING:
                raise Full("too many changes wait for the disk")
            self._waiting.append((work, done))
            self._ready.notify()

    def call(self, work: Callable[[Connection], T], timeout: float) -> T:
        """Returns after the commit. Raises what `work` raised, StoreFault, TimeoutError
        (it may still be committed then), Closed or Full."""
        ended = threading.Event()
        found: list[tuple[Any, Exception | None]] = []

        def done(value: Any, error: Exception | None) -> None:
            found.append((value, error))
            ended.set()

        self.submit(work, done)
        if not ended.wait(timeout):
            raise TimeoutError("the disk did not take it in time")
        value, error = found[0]
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]

    def run(self) -> None:
        """Until `close`; what was submitted before is still done."""
        while True:
            with self._ready:
                while not self._waiting and not self._closed:
                    self._ready.wait()
                if not self._waiting:
                    return
                group = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            self._commit(group)

    def close(self) -> None:
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def _commit(self, group: list[tuple[Work, Done]]) -> None:
        found: list[tuple[Any, Exception | None]] = []
        try:
            with self._database.write() as connection:
                for work, _ in group:
                    found.append(_alone(connection, work))
            self.transactions += 1
        except StoreFault as error:
            self.failures += 1
            found = [(None, error)] * len(group)
        for (_, done), (value, fault) in zip(group, found, strict=True):
            try:
                done(value, fault)
            except Exception:
                log.exception("a caller failed after its commit")


def _alone(connection: Connection, work: Work) -> tuple[Any, Exception | None]:
    connection.execute("SAVEPOINT one")
    try:
        value = work(connection)
    except StoreFault:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to its caller
        connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")
        return None, error
    connection.execute("RELEASE one")
    return value, None
