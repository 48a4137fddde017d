"""A running answer, passed on to whoever asks the same: what came so far, then live.

The leader of a flight puts what it receives into the shared cache, as segments under the
flight's key, but only once somebody follows; then it wakes the followers' workers. So
followers of all workers read the same segments. RAM: none of its own, the segments lie in
`cache.size` and expire `KEPT` seconds after their last use; a follower holds an eventfd.

A segment that the cache refused is put again together with the next. One that was thrown
out before a follower read it is not made again: that follower waits for the end, and gets
the rest of the answer then.

Whose segments a follower reads is told by the flight's head: the leader's slot, incarnation
and request. A head whose process does not lead any more counts for nothing, so what a killed
leader left is never taken for its successor's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import get_args

import msgspec

from pihub._core.arena import Arena
from pihub._core.cache import Cache
from pihub._core.hashing import xxh3_128
from pihub.domain.chat import Answer
from pihub.domain.collect import Collector, rest
from pihub.domain.ports import Piece
from pihub.domain.stream import Event, Failed
from pihub.errors import UpstreamIncomplete
from pihub.shared.flights import Flights, Following

KEPT = 120.0
"""Seconds that a segment stays; a follower that is further behind than that is cut off."""
HEAD = 2**64 - 1
"""The number of the head among a flight's segments."""


class End(msgspec.Struct, frozen=True, array_like=True):
    """The leader's last word. `failed`: why there is no complete answer, safe to show."""

    worth_nano: int = 0
    failed: str = ""


class Source(msgspec.Struct, frozen=True, array_like=True):
    """Where a running answer comes from."""

    slot: int
    incarnation: int
    rid: int
    upstream: str
    model: str
    route: str
    simulated: bool


_KINDS: tuple[type, ...] = (*(kind for kind in get_args(Event) if kind is not Failed), End)
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}
_DECODERS: list[msgspec.msgpack.Decoder[Event | End]] = [
    msgspec.msgpack.Decoder(kind) for kind in _KINDS
]
_SEGMENT = msgspec.msgpack.Decoder(list[tuple[int, msgspec.Raw]])
_SOURCE = msgspec.msgpack.Decoder(Source)


class Relay:
    """One worker's end of it, for leaders and followers."""

    def __init__(self, cache: Cache, flights: Flights, arena: Arena, slot: int) -> None:
        self._cache = cache
        self._seed = int.from_bytes(arena.secret[:8], "little")
        self._arena = arena
        self._slot = slot
        self.flights = flights

    def publish(
        self,
        flight: int,
        tenant: int,
        *,
        rid: int,
        upstream: str,
        model: str,
        route: str,
        simulated: bool,
        so_far: Callable[[], Iterable[Event]],
    ) -> Publisher:
        """For the leader of `flight`. `so_far` gives the events until now."""
        source = Source(
            self._slot, self._arena.slot_info(self._slot)[1], rid, upstream, model, route,
            simulated,
        )  # fmt: skip
        return Publisher(self, flight, tenant, source, so_far)

    def join(
        self,
        flight: int,
        tenant: int,
        *,
        patience: float,
        client_fd: int,
        final: Callable[[], Answer | None],
    ) -> Follower | None:
        """None if nothing has been published yet. `final`: the kept answer, at the end."""
        found = self.get(0, flight, tenant, HEAD)
        if found is None:
            return None
        source = _SOURCE.decode(found)
        if not self.leads(flight, source):
            return None
        return Follower(self, flight, tenant, source, patience, client_fd, final)

    def leads(self, flight: int, source: Source) -> bool:
        """Whether the process that wrote `source` still leads the flight."""
        return (
            self.flights.leader(flight) == source.slot
            and self._arena.slot_info(source.slot)[1] == source.incarnation
        )

    def get(self, rid: int, flight: int, tenant: int, number: int) -> bytes | None:
        return self._cache.get(*self._key(rid, flight, number), tenant)

    def put(self, rid: int, flight: int, tenant: int, number: int, data: bytes) -> bool:
        key = self._key(rid, flight, number)
        return len(data) <= self._cache.max_value and self._cache.put(*key, tenant, data, KEPT) > 0

    def drop_head(self, flight: int, tenant: int) -> None:
        try:
            self._cache.delete(*self._key(0, flight, HEAD), tenant)
        except TimeoutError:
            pass  # it counts for nothing once the flight is over

    def _key(self, rid: int, flight: int, number: int) -> tuple[int, int]:
        # Apart from every other user of the cache by the label.
        name = b"relay\0" + b"".join(n.to_bytes(8, "little") for n in (rid, flight, number))
        return xxh3_128(name, self._seed)


class Publisher:
    """What a leader has received, for those who follow. Costs one look while nobody does."""

    __slots__ = ("_flight", "_next", "_on", "_relay", "_so_far", "_source", "_tenant", "_unsent")

    def __init__(
        self,
        relay: Relay,
        flight: int,
        tenant: int,
        source: Source,
        so_far: Callable[[], Iterable[Event]],
    ) -> None:
        self._relay = relay
        self._flight = flight
        self._tenant = tenant
        self._source = source
        self._so_far = so_far
        self._on = False
        self._next = 0
        self._unsent: list[tuple[int, Event | End]] = []

    def feed(self, events: Iterable[Event], *, more: bool = False) -> None:
        """Those that the leader has just taken in. `more`: the next are at hand."""
        if self._on:
            self._unsent += [(_NUMBERS[type(event)], event) for event in events]
            if not more:
                self._send()
        elif not more and self.followed():
            self.open()

    def followed(self) -> bool:
        return self._relay.flights.followed(self._flight)

    def open(self) -> None:
        """Publish from now on, and what came before: also if nobody follows yet."""
        if self._on:
            return
        self._on = True
        self._unsent = [(_NUMBERS[type(event)], event) for event in self._so_far()]
        self._send()
        head = msgspec.msgpack.encode(self._source)
        if not self._relay.put(0, self._flight, self._tenant, HEAD, head):
            self._on = False  # whoever follows tries again at the next piece
            self._next = 0
        self._relay.flights.tell(self._flight)

    def end(self, last: End) -> None:
        """The leader is done and its books are closed."""
        if not self._on:
            return
        self._unsent.append((_NUMBERS[End], last))
        self._send()
        self._relay.drop_head(self._flight, self._tenant)

    def _send(self) -> None:
        if not self._unsent:
            return
        data = msgspec.msgpack.encode(self._unsent)
        if self._relay.put(self._source.rid, self._flight, self._tenant, self._next, data):
            self._next += 1
            self._unsent = []
            self._relay.flights.tell(self._flight)


class Follower:
    """One request's view of a running answer: an iterator of pieces without raw bytes."""

    def __init__(
        self,
        relay: Relay,
        flight: int,
        tenant: int,
        source: Source,
        patience: float,
        client_fd: int,
        final: Callable[[], Answer | None],
    ) -> None:
        self.source = source
        self.worth_nano = 0
        """What it has saved; known at its end."""
        self._relay = relay
        self._flight = flight
        self._tenant = tenant
        self._patience = patience
        self._client_fd = client_fd
        self._final = final
        self._collector = Collector()
        self._turn: Following | None = None
        self._pieces = self._read()

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        return next(self._pieces)

    def close(self) -> None:
        self._pieces.close()
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.leave()

    def _read(self) -> Generator[Piece, None, None]:
        """Raises UpstreamIncomplete (the leader failed, or stalls) and ClientGone."""
        number = 0
        while True:
            data = self._segment(number)
            if data is None:
                yield from self._remains()
                return
            number += 1
            events, last = self._decode(data)
            if events:
                for event in events:
                    self._collector.feed(event)
                yield Piece(b"", tuple(events))
            if last is not None:
                self.worth_nano = last.worth_nano
                if last.failed:
                    raise UpstreamIncomplete(last.failed)
                return

    def _segment(self, number: int) -> bytes | None:
        """The next one, waited for; None: there will be none."""
        relay, source = self._relay, self.source
        while True:
            over = not relay.leads(self._flight, source)
            data = relay.get(source.rid, self._flight, self._tenant, number)
            if data is not None or over:
                return data
            if self._turn is None:
                try:
                    self._turn = relay.flights.following(self._flight)
                except TimeoutError:
                    return None  # too many follow: what is left comes at the end, or not
                continue
            try:
                self._turn.wait(time.monotonic() + self._patience, self._client_fd)
            except TimeoutError:
                raise UpstreamIncomplete("the answer that was followed has stalled") from None

    def _remains(self) -> Iterator[Piece]:
        """The rest of the kept answer, if the leader left one."""
        answer = self._final()
        events = None if answer is None else rest(self._collector, answer)
        if events is None:
            raise UpstreamIncomplete("the request whose answer was followed has failed")
        for event in events:
            self._collector.feed(event)
        yield Piece(b"", tuple(events))

    def _decode(self, data: bytes) -> tuple[list[Event], End | None]:
        events: list[Event] = []
        for number, raw in _SEGMENT.decode(data):
            found = _DECODERS[number].decode(raw)
            if isinstance(found, End):
                return events, found
            events.append(found)
        return events, None
