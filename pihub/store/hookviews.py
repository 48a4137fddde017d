"""Events and deliveries as people look at them: pages by number, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pihub.errors import BadRequest
from pihub.store.sqlite import Database, Row


class EventRow(NamedTuple):
    """An event without its body."""

    id: int
    source: str
    object: str
    kind: str
    at: int
    """ms since 1970, as `received`."""
    received: int
    erased: bool
    deliveries: int
    pending: int


class DeliveryRow(NamedTuple):
    id: int
    event: int
    target: str
    kind: str
    object: str
    state: int
    attempts: int
    at: int
    ended: int
    status: int
    error: str


_EVENT = (
    "SELECT e.id, e.source, e.object, e.kind, e.at, e.received, e.body IS NULL,"
    " (SELECT count(*) FROM deliveries d WHERE d.event = e.id),"
    " (SELECT count(*) FROM deliveries d WHERE d.event = e.id AND d.state = 0) FROM events e"
)
_DELIVERY = (
    "SELECT d.id, d.event, d.target, e.kind, e.object, d.state, d.attempts, d.at, d.ended,"
    " d.status, d.error FROM deliveries d JOIN events e ON e.id = d.event"
)


class HookViews:
    """Reads what is committed, of all senders or of some; thread-safe."""

    def __init__(self, database: Database, sources: Sequence[str] | None = None) -> None:
        self._database = database
        self._sources = sources

    def count(self, state: int) -> int:
        """Deliveries of these senders in that state."""
        conditions, values = self._mine()
        # Of all, the partial index of that state is enough.
        events = " JOIN events e ON e.id = d.event" if conditions else ""
        where = " AND ".join((f"d.state = {int(state)}", *conditions))
        rows = self._database.read(
            f"SELECT count(*) FROM deliveries d{events} WHERE {where}",  # noqa: S608
            tuple(values),
        )
        return int(rows[0][0])

    def events(
        self, count: int, *, before: int | None, after: int | None, source: str, kind: str,
        about: str,
    ) -> Sequence[EventRow]:  # fmt: skip
        """See webhooks.desk.Desk. Raises BadRequest."""
        if about and not source:
            raise BadRequest("object needs source", param="source")
        wanted = [("e.source = ?", source), ("e.object = ?", about), ("e.kind = ?", kind)]
        rows = self._page(_EVENT, "e.id", [one for one in wanted if one[1]], before, after, count)
        return [_event(row) for row in rows]

    def event(self, number: int) -> tuple[EventRow, str | None, list[DeliveryRow]] | None:
        rows = self._database.read(f"{_EVENT} WHERE e.id = ?", (number,))
        if not rows or (self._sources is not None and rows[0][1] not in self._sources):
            return None
        body = self._database.read("SELECT body FROM events WHERE id = ?", (number,))
        sent = self._database.read(f"{_DELIVERY} WHERE d.event = ? ORDER BY d.id", (number,))
        return (
            _event(rows[0]), body[0][0] if body else None, [DeliveryRow(*row) for row in sent]
        )  # fmt: skip

    def deliveries(
        self, count: int, *, before: int | None, after: int | None, target: str,
        state: int | None,
    ) -> Sequence[DeliveryRow]:  # fmt: skip
        wanted: list[tuple[str, Any]] = []
        if target:
            wanted.append(("d.target = ?", target))
        if state is not None:
            # As a literal, so that the partial indexes of pending and dead are used.
            wanted.append((f"d.state = {int(state)} AND ? IS NULL", None))
        rows = self._page(_DELIVERY, "d.id", wanted, before, after, count)
        return [DeliveryRow(*row) for row in rows]

    def _page(
        self, select: str, key: str, wanted: Sequence[tuple[str, Any]], before: int | None,
        after: int | None, count: int,
    ) -> list[Row]:  # fmt: skip
        """SQL is put together from this file's own constants; values are bound."""
        conditions, values = self._mine()
        conditions += [text for text, _ in wanted]
        values += [value for _, value in wanted]
        order = "DESC"
        if after is not None:
            conditions.append(f"{key} > ?")
            values.append(after)
            order = "ASC"
        elif before is not None:
            conditions.append(f"{key} < ?")
            values.append(before)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return self._database.read(
            f"{select}{where} ORDER BY {key} {order} LIMIT ?", (*values, count)
        )

    def _mine(self) -> tuple[list[str], list[Any]]:
        """Conditions and their values."""
        if self._sources is None:
            return [], []
        return [f"e.source IN ({','.join('?' * len(self._sources))})"], list(self._sources)


def _event(row: Row) -> EventRow:
    number, source, about, kind, at, received, erased, sent, pending = row
    return EventRow(number, source, about, kind, at, received, bool(erased), sent, pending)
