"""Cursors: whole, stable, both ways, and nobody else's."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.errors import BadRequest
from pihub.http.control.paging import Page, PageQuery, Pager, among, scope_of, select

SECRET = b"s" * 32


def pager(limit: int, cursor: str = "", scope: str = "s", secret: bytes = SECRET) -> Pager:
    return Pager(secret, scope, PageQuery(limit=limit, cursor=cursor), "/x?limit=3")


def turn(rows: list[Any], limit: int, cursor: str, *, descending: bool) -> Page[Any]:
    def key(row: Any) -> tuple[int]:
        return (row,)

    return pager(limit, cursor).page(among(rows, key, descending=descending), key, lambda row: row)


@given(st.sets(st.integers(-50, 50)), st.integers(1, 7), st.booleans())
def test_a_walk_and_the_walk_back_see_everything_once(
    numbers: set[int], limit: int, descending: bool
) -> None:
    rows = sorted(numbers)
    there, pages, cursor = [], 0, ""
    while True:
        page = turn(rows, limit, cursor, descending=descending)
        there += page.items
        pages += 1
        if page.next is None:
            break
        assert len(page.items) == limit
        cursor = page.next
    wanted = sorted(rows, reverse=descending)
    assert there == wanted and pages == max(1, -(-len(rows) // limit))
    back = page.items
    while page.prev is not None and page.items:
        page = turn(rows, limit, page.prev, descending=descending)
        back = page.items + back
    assert back == wanted


@given(
    st.sets(st.integers(0, 100), min_size=1),
    st.sets(st.integers(0, 100)),
    st.sets(st.integers(0, 100)),
    st.integers(1, 5),
)
def test_what_stays_is_seen_once_whatever_comes_and_goes(
    first: set[int], added: set[int], removed: set[int], limit: int
) -> None:
    now, seen, cursor, turns = set(first), [], "", 0
    while True:
        page = turn(sorted(now), limit, cursor, descending=False)
        seen += page.items
        if page.next is None:
            break
        cursor = page.next
        turns += 1
        now = (now | {n for n in added if n % 3 == turns % 3}) - {
            n for n in removed if n % 2 == turns % 2
        }
    assert len(seen) == len(set(seen)) and seen == sorted(seen)
    assert (first - removed) <= set(seen)


def test_a_cursor_is_bound_to_its_list_filters_tenant_and_hub() -> None:
    rows = list(range(10))

    def fetch(place: Any, count: int) -> list[int]:
        return rows[:count]

    cursor = pager(3).page(fetch, lambda row: (row,), lambda row: row).next
    assert cursor is not None and pager(3, cursor).place == ((2,), False)
    for other in (pager, lambda *a, **k: pager(*a, secret=b"t" * 32, **k)):
        with pytest.raises(BadRequest):
            other(3, cursor, scope="t" if other is pager else "s")
    scopes = {
        scope_of("a", None, [("q", "1")]),
        scope_of("b", None, [("q", "1")]),
        scope_of("a", 1, [("q", "1")]),
        scope_of("a", None, [("q", "2")]),
        scope_of("a", None, []),
    }
    assert len(scopes) == 5
    assert scope_of("a", 1, [("limit", "5"), ("cursor", "x")]) == scope_of("a", 1, [])


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_changed_cursor_is_refused(at: int, by: int) -> None:
    made = pager(1).page(lambda p, n: [1, 2][:n], lambda row: (row,), lambda row: row)
    assert made.next is not None
    raw = bytearray(base64.urlsafe_b64decode(made.next + "=="))
    raw[at % len(raw)] ^= by
    text = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    with pytest.raises(BadRequest):
        pager(1, text)


@pytest.mark.parametrize("text", ["a", "=", "!!", "é", "AAAA", "A" * 900])
def test_rubbish_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        pager(1, text)


def test_links_keep_the_other_parameters() -> None:
    made = pager(1)
    page = made.page(lambda p, n: [1, 2][:n], lambda row: (row,), lambda row: row)
    assert made.links == [("next", f"/x?limit=3&cursor={page.next}")]


def test_fields_are_selected_in_pages_and_objects() -> None:
    page = Page([{"id": 1, "name": "a"}], next="n")
    assert select(page, "name", ["id", "name"]) == {
        "items": [{"name": "a"}], "next": "n", "prev": None,
    }  # fmt: skip
    assert select({"id": 1, "name": "a"}, "id", ["id", "name"]) == {"id": 1}
    with pytest.raises(BadRequest):
        select(page, "id,secret", ["id", "name"])
