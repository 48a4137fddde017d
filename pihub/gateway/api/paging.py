"""All pages of a list as one stream: one JSON item a line, then one line that says how it ended.

A client that sends `x-pihub-pages: N` with a GET has up to N pages walked for it, each an
ordinary request of the API (its limit, cache, retries and breaker hold). In memory is one
page. The last line is `{"pihub": {"pages": n, "items": m, "next": cursor or null}}`; a
stream without it was cut off. Where the next page is:

- a cursor in the answer (HubSpot: `paging.next.after`, sent as `after`; Stripe: the last
  item's `id` while `has_more`, sent as `starting_after`; Slack: `response_metadata.next_cursor`),
- or a `Link` field with rel="next" (GitHub; RFC 8288), whose query alone is followed: the
  page stays on this API whatever the URL says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import ujson

from pihub.errors import BadRequest, UpstreamError, UpstreamProtocol
from pihub.gateway.api.answer import ApiAnswer, BodyStream
from pihub.settings.paging import Paging

MOST_PAGES = 1000
LARGEST = 16 << 20
"""Bytes of one page. RAM: some four times that while it is read, one page at a time."""
FIELD = "x-pihub-pages"
CONTENT_TYPE = "application/x-ndjson"
_NEXT = re.compile(r'<([^>]*)>[^,]*;\s*rel="?next"?', re.IGNORECASE)

Ask = Callable[[str], ApiAnswer]
"""(query) to that page's answer."""


def pages(text: str) -> int:
    """The number of pages that a client wants. Raises BadRequest."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_PAGES):
        raise BadRequest(f"{FIELD} must be a whole number from 1 to {MOST_PAGES}", param=FIELD)
    return int(text)


def whole(answer: ApiAnswer) -> bytes:
    """A page's body. Raises UpstreamProtocol if it is too large, and as its stream does."""
    if isinstance(answer.body, bytes):
        if len(answer.body) > LARGEST:
            raise UpstreamProtocol("a page of the API is too large")
        return answer.body
    parts, size = [], 0
    try:
        for piece in answer.body:
            size += len(piece)
            if size > LARGEST:
                raise UpstreamProtocol("a page of the API is too large")
            parts.append(piece)
    finally:
        answer.close()
    return b"".join(parts)


def walk(
    first: ApiAnswer, ask: Ask, query: str, paging: Paging, most: int
) -> Generator[bytes, None, None]:
    """The stream; `first` is the answer to `query`, a 200.

    Raises UpstreamError in the middle: the stream is cut, and has no last line.
    """
    answer, count, number = first, 0, 0
    seen: set[str] = set()
    while True:
        number += 1
        data = whole(answer)
        try:
            found = ujson.loads(data)
        except ValueError:
            raise UpstreamProtocol("a page of the API is not JSON") from None
        items = _at(found, paging.items) if paging.items else found
        if not isinstance(items, list):
            raise UpstreamProtocol("a page of the API has no list of items")
        if items:
            yield b"".join(
                ujson.dumps(item, escape_forward_slashes=False).encode() + b"\n" for item in items
            )
        count += len(items)
        cursor, following = _following(answer, found, items, query, paging)
        if cursor in seen:
            raise UpstreamProtocol("the API's pages go round in circles")
        seen.add(cursor)
        if not cursor or number >= most:
            end = {"pages": number, "items": count, "next": cursor or None}
            yield ujson.dumps({"pihub": end}, escape_forward_slashes=False).encode() + b"\n"
            return
        answer = ask(following)
        if answer.status != 200:
            status = answer.status
            answer.close()
            words = f"a page of the API failed (status {status})"
            raise UpstreamError(words, upstream_status=status)


def _following(
    answer: ApiAnswer, found: Any, items: list[Any], query: str, paging: Paging
) -> tuple[str, str]:
    """(cursor, the next page's query); empty ones at the end."""
    if paging.next:
        if paging.more and not _at(found, paging.more):
            return "", ""
        place = items[-1] if paging.next.startswith("-1.") and items else found
        cursor = _at(place, paging.next.removeprefix("-1."))
        if isinstance(cursor, bool) or not isinstance(cursor, (str, int)) or cursor == "":
            return "", ""
        kept = [p for p in parse_qsl(query, keep_blank_values=True) if p[0] != paging.parameter]
        return str(cursor), urlencode([*kept, (paging.parameter, str(cursor))])
    links = ", ".join(value for name, value in answer.headers if name.lower() == "link")
    target = _NEXT.search(links)
    following = urlsplit(target[1]).query if target else ""
    return following, following


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


class PageStream(BodyStream):
    """`walk` as the body of an answer."""

    __slots__ = ("_lines", "_page")

    def __init__(self, first: ApiAnswer, ask: Ask, query: str, paging: Paging, most: int) -> None:
        self.passed = 0
        self._page = first
        self._lines = walk(first, self._ask(ask), query, paging, most)

    def _ask(self, ask: Ask) -> Ask:
        def asked(query: str) -> ApiAnswer:
            self._page = ask(query)
            return self._page

        return asked

    def __next__(self) -> bytes:
        data = next(self._lines)
        self.passed += len(data)
        return data

    def close(self) -> None:
        self._lines.close()
        self._page.close()


def paged(first: ApiAnswer, ask: Ask, query: str, paging: Paging, most: int) -> ApiAnswer:
    """The answer whose body is all pages; `first` itself if it is no list's page."""
    if first.status != 200:
        return first
    return ApiAnswer(
        200,
        [("content-type", CONTENT_TYPE), ("cache-control", "no-store")],
        PageStream(first, ask, query, paging, most),
        first.cache_state,
        first.reason,
        attempts=first.attempts,
        upstream_status=first.upstream_status,
        upstream_ns=first.upstream_ns,
    )
