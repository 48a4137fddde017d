"""Walking pages: every item once, bounded, and never a silent cut."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pihub.errors import BadRequest, UpstreamError, UpstreamProtocol
from pihub.gateway.api.answer import ApiAnswer
from pihub.gateway.api.paging import MOST_PAGES, paged, pages
from pihub.settings.paging import Paging

STRIPE = Paging(items="data", next="-1.id", parameter="starting_after", more="has_more")
SLACK = Paging(items="channels", next="response_metadata.next_cursor", parameter="cursor")
GITHUB = Paging(items="", next="", parameter="")


class Api:
    """Answers by query; remembers what it was asked."""

    def __init__(self, answers: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self.answers = answers
        self.headers = headers or {}
        self.asked: list[str] = []

    def __call__(self, query: str) -> ApiAnswer:
        self.asked.append(query)
        found = self.answers[query]
        status, body = found if isinstance(found, tuple) else (200, found)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        link = [("link", self.headers[query])] if query in self.headers else []
        return ApiAnswer(status, [("content-type", "application/json"), *link], data, "MISS", "")

    def lines(self, query: str, paging: Paging, most: int = 10) -> list[Any]:
        answer = paged(self(query), self, query, paging, most)
        assert answer.status == 200 and not isinstance(answer.body, bytes)
        data = b"".join(answer.body)
        assert answer.bytes_sent == len(data)
        return [json.loads(line) for line in data.splitlines()]


def hubspot(numbers: list[int], after: str | None) -> dict[str, Any]:
    page: dict[str, Any] = {"results": [{"id": n} for n in numbers]}
    return page | ({"paging": {"next": {"after": after, "link": "x"}}} if after else {})


def test_hubspot_s_cursor_is_followed_to_the_end() -> None:
    api = Api({
        "limit=2": hubspot([1, 2], "a b"),
        "limit=2&after=a+b": hubspot([3, 4], "9"),
        "limit=2&after=9": hubspot([5], None),
    })  # fmt: skip
    assert api.lines("limit=2", Paging()) == [
        *({"id": n} for n in range(1, 6)), {"pihub": {"pages": 3, "items": 5, "next": None}},
    ]  # fmt: skip


def test_a_bound_leaves_the_cursor_to_go_on_with() -> None:
    api = Api({"": hubspot([1], "7"), "after=7": hubspot([2], "8")})
    assert api.lines("", Paging(), most=2)[-1] == {"pihub": {"pages": 2, "items": 2, "next": "8"}}


def test_other_ways_to_page() -> None:
    stripe = Api({
        "": {"data": [{"id": "a"}, {"id": "b"}], "has_more": True},
        "starting_after=b": {"data": [{"id": "c"}], "has_more": False},
    })  # fmt: skip
    assert [line.get("id") for line in stripe.lines("", STRIPE)] == ["a", "b", "c", None]
    slack = Api({
        "": {"channels": [1], "response_metadata": {"next_cursor": "x="}},
        "cursor=x%3D": {"channels": [2], "response_metadata": {"next_cursor": ""}},
    })  # fmt: skip
    assert slack.lines("", SLACK)[:2] == [1, 2]
    github = Api(
        {"page=1": [1, 2], "page=2": [3]},
        {"page=1": '<https://evil.example/o?page=2>; rel="next", <https://x/?page=9>; rel="last"'},
    )
    assert github.lines("page=1", GITHUB)[:3] == [1, 2, 3]
    assert github.asked == ["page=1", "page=2"]


@pytest.mark.parametrize(
    ("second", "error"),
    [
        ((500, {}), UpstreamError),
        (b"<html>", UpstreamProtocol),
        ({"results": 5}, UpstreamProtocol),
        (hubspot([3], "2"), UpstreamProtocol),
    ],
)
def test_what_breaks_on_the_way_is_never_a_silent_end(second: Any, error: type[Exception]) -> None:
    api = Api({"": hubspot([1], "2"), "after=2": second})
    answer = paged(api(""), api, "", Paging(), 10)
    seen = []
    with pytest.raises(error):
        for piece in answer.body:
            seen.append(piece)
    assert b"pihub" not in b"".join(seen)


def test_the_first_page_s_error_is_the_answer() -> None:
    api = Api({"": (404, {"message": "no"})})
    assert paged(api(""), api, "", Paging(), 5).status == 404


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "x", str(MOST_PAGES + 1), "9" * 50, "１"])
def test_how_many_is_a_bounded_number(text: str) -> None:
    with pytest.raises(BadRequest):
        pages(text)
    assert pages("3") == 3
