"""Cursor pagination, the same for every list.

A cursor is the sort key of the row at a page's edge and a direction (keyset pagination),
so inserts and deletes elsewhere neither repeat nor skip a row. It is opaque: MessagePack
in base64url, after 16 bytes of HMAC-SHA-256 over it, the operation, the filters and the
caller's tenant; a cursor of another list, filter or tenant is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlencode

import msgspec

from pihub.errors import BadRequest
from pihub.http.control.shapes import Input

T = TypeVar("T")
V = TypeVar("V")
Key = tuple[int | str, ...]

PAGE = 100
MOST = 1000
TAG = 16


class PageQuery(Input, frozen=True):
    """The parameters of every list; filters are added by subclasses."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST, description="Rows a page")] = PAGE
    cursor: Annotated[
        str, msgspec.Meta(max_length=1000, description="`next` or `prev` of another page")
    ] = ""
    fields: Annotated[
        str,
        msgspec.Meta(max_length=1000, description="Only these fields, separated by commas"),
    ] = ""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list, and how to go on in both directions."""

    items: list[T]
    next: str | None = None
    prev: str | None = None


class Place(NamedTuple):
    """Rows strictly beyond `key` are wanted, against the list's order if `backward`."""

    key: Key
    backward: bool


Fetch = Callable[[Place | None, int], Sequence[T]]
"""(place or None for the beginning, count) to at most `count` rows, nearest first."""


class Pager:
    """Reads and writes the cursors of one request."""

    def __init__(self, secret: bytes, scope: str, query: object, url: str) -> None:
        self._key = hmac.digest(secret, b"pihub cursor\0" + scope.encode(), "sha256")
        self._url = url
        self._limit: int = getattr(query, "limit", PAGE)
        text: str = getattr(query, "cursor", "")
        self.place: Place | None = self._read(text) if text else None
        self.links: list[tuple[str, str]] = []
        """(relation, URL) of the page made last."""

    def page(self, fetch: Fetch[T], key: Callable[[T], Key], show: Callable[[T], V]) -> Page[V]:
        """The page that the request asks for; `key` is unique and is what the list is
        sorted by."""
        place = self.place
        rows = list(fetch(place, self._limit + 1))
        more = len(rows) > self._limit
        del rows[self._limit :]
        backward = place is not None and place.backward
        if backward:
            rows.reverse()
        following = preceding = None
        if rows and (more or backward):
            following = Place(key(rows[-1]), backward=False)
        if rows and place is not None and (more or not backward):
            preceding = Place(key(rows[0]), backward=True)
        return self._made([show(row) for row in rows], following, preceding)

    def whole(
        self, rows: Iterable[V], key: Callable[[V], Key], *, descending: bool = False
    ) -> Page[V]:
        """A page of a list that is in memory anyway (keys, users); `key` as in `page`."""
        return self.page(among(rows, key, descending=descending), key, lambda row: row)

    def _made(
        self, items: list[V], following: Place | None, preceding: Place | None
    ) -> Page[V]:
        made = Page(
            items,
            None if following is None else self._write(following),
            None if preceding is None else self._write(preceding),
        )
        self.links = [
            (relation, self._link(cursor))
            for relation, cursor in (("next", made.next), ("prev", made.prev))
            if cursor is not None
        ]
        return made

    def partial(
        self,
        fetch: Callable[[Place | None, int], tuple[Sequence[T], Key | None]],
        show: Callable[[T], V],
        key: Callable[[T], Key],
    ) -> Page[V]:
        """For lists that are searched piece by piece: `fetch` gives what it found, and the key
        to go on from, None at the list's end. A page may be short, or empty, with a `next`."""
        place = self.place
        found, edge = fetch(place, self._limit)
        rows = list(found)
        backward = place is not None and place.backward
        ends: list[Place | None]
        if backward:
            rows.reverse()
            back = key(rows[-1]) if rows else edge or (place.key if place else None)
            ends = [_place(back, backward=False), _place(edge, backward=True)]
        else:
            front = key(rows[0]) if rows else None if place is None else place.key
            first = None if place is None else _place(front, backward=True)
            ends = [_place(edge, backward=False), first]
        return self._made([show(row) for row in rows], *ends)

    def _write(self, place: Place) -> str:
        data = msgspec.msgpack.encode([place.backward, *place.key])
        tag = hmac.digest(self._key, data, "sha256")[:TAG]
        return base64.urlsafe_b64encode(tag + data).decode().rstrip("=")

    def _read(self, text: str) -> Place:
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise BadRequest("cursor is not one of this hub's", param="cursor") from None
        data = raw[TAG:]
        if not hmac.compare_digest(raw[:TAG], hmac.digest(self._key, data, "sha256")[:TAG]):
            raise BadRequest(
                "cursor belongs to another list or other filters: begin without it",
                param="cursor",
            )
        backward, *key = msgspec.msgpack.decode(data)
        return Place(tuple(key), bool(backward))

    def _link(self, cursor: str) -> str:
        path, _, query = self._url.partition("?")
        return f"{path}?{query + '&' if query else ''}{urlencode({'cursor': cursor})}"


def _place(key: Key | None, *, backward: bool) -> Place | None:
    return None if key is None else Place(key, backward)


def scope_of(operation: str, tenant: int | None, parameters: Iterable[tuple[str, str]]) -> str:
    """What a cursor is bound to; the page's size and fields may change on the way."""
    free = ("cursor", "limit", "fields")
    kept = sorted((name, value) for name, value in parameters if name not in free)
    text = repr((operation, tenant, kept))
    return hashlib.sha256(text.encode()).hexdigest()


def among(
    rows: Iterable[T], key: Callable[[T], Key], *, descending: bool = False
) -> Fetch[T]:
    """For lists that are in memory anyway (keys, users): a Fetch over all of them."""
    ordered = sorted(rows, key=key, reverse=descending)

    def fetch(place: Place | None, count: int) -> Sequence[T]:
        if place is None:
            return ordered[:count]
        way = reversed(ordered) if place.backward else iter(ordered)
        if place.backward == descending:
            found = [row for row in way if key(row) > place.key]
        else:
            found = [row for row in way if key(row) < place.key]
        return found[:count]

    return fetch


def select(value: Any, wanted: str, known: Sequence[str]) -> Any:
    """Only the named fields of an object, or of each of a page's. Raises BadRequest."""
    names = wanted.split(",")
    for name in names:
        if name not in known:
            raise BadRequest(f"fields: there is no field {name[:50]!r}", param="fields")
    if isinstance(value, Page):
        plain = msgspec.to_builtins(value)
        plain["items"] = [{name: row[name] for name in names} for row in plain["items"]]
        return plain
    plain = msgspec.to_builtins(value)
    return {name: plain[name] for name in names}
