"""Pieces of a page that nobody sends as a query, and that somebody's text may hold."""

from __future__ import annotations

import pytest

from pihub._core.scanner import Scanner

QUERY, FORM = 60, 60
PAGE = [
    "<!-- x",
    "<!-- tested in a browser -->",
    "<head>",
    '<a href="https://evil.example/">more</a>',
    "<img alt=x src=//evil.example/p>",
    "<video src=http://evil.example/v></video>",
    "<ellipse rx=5 />",
    "<polyline points='1 2'>",
    "<feFlood x=1>",
    "<mtext x=1>",
    "run()>",
    "go('x')>",
    'xmlns:m="urn:x">',
]
HONEST = [
    "</b>",
    "</div>",
    "<br><hr>",
    '<a href="/next">next</a>',
    "<polygon><point>1,2</point></polygon>",
    "<rect>",
    "<felt color=red>",
    "a->b()>c",
    '5">',
    '5" class="link',
    '"big house" style',
    'title="a book"',
    "scripts(1)/scripts",
    "a[0];b=c",
    "{a:b(c);d:e}",
    'f(\\"x\\")',
    "the <head> of a page is where the text begins",
    "see the <!-- of a comment that is in the page",
]


def points(scanner: Scanner, place: str, text: str) -> int:
    found = scanner.value(text.encode(), place, encoded=False)
    return 0 if found is None else found[0]


@pytest.mark.parametrize("text", PAGE)
def test_pieces_of_a_page_are_no_query(scanner: Scanner, text: str) -> None:
    """In a form they may be somebody's letter."""
    assert points(scanner, "query", text) >= QUERY
    assert points(scanner, "form", text) < FORM * 0.75


@pytest.mark.parametrize("text", HONEST)
def test_formatting_and_code_may_be_a_query(scanner: Scanner, text: str) -> None:
    assert points(scanner, "query", text) < QUERY * 0.75


def test_an_element_is_broken_out_of_at_the_beginning_alone(scanner: Scanner) -> None:
    assert points(scanner, "form", "</title>") >= FORM
    assert points(scanner, "form", "<title>a</title>") < FORM * 0.75


def test_a_comment_that_the_value_began_is_no_break(scanner: Scanner) -> None:
    ends = scanner.value(b"<p>a</p> --><p>b</p>", "form")
    whole = scanner.value(b"<!-- a --><p>b</p>", "form")
    assert ends is not None and whole is not None
    assert (ends[0], whole[0]) == (50, 30)
