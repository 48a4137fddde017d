"""The scanner's verifiers against slow twins, on random strings of each one's grammar."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pihub._core.scanner import Scanner
from pihub.security.scanner.keywords import load
from tests.effort import examples
from tests.model.scanning import climb_points, filter_breaks, first_command, tautology

CORE = Scanner(load(), bytes(8))
MANY = examples(500)
SHARE = re.compile(r"\\\\[a-z.]+\\")
WORD = re.compile(r"[a-z]{2,}")


def verdict(text: str) -> tuple[int, str, str]:
    found = CORE.value(text.encode(), "query")
    return (0, "", "") if found is None else found[:3]


@MANY
@given(st.text("../\\ab ", max_size=24))
@example("../..")
@example("a ../b")
@example("..\\x")
@example("...../a/./b")
@example("\\\\.\\..")
@example("\\\\a\\")
@example("aa aa..\\ aa")
def test_climbs(text: str) -> None:
    """The twin knows no sentences (three words of two letters): in one, a climb counts for less."""
    points, kind, rule = verdict(text)
    if len(text) > 4 and SHARE.match(text):
        assert points >= 60 and kind == "path", (text, rule)  # a share's own points come to it
    elif len(WORD.findall(text)) >= 3:
        assert rule in ("", "climb")
        assert points <= climb_points(text), (text, kind)
    else:
        assert rule in ("", "climb")
        assert points == climb_points(text), (text, kind)


@MANY
@given(st.text("()*|&!=xy", max_size=14))
@example("*)(x=y")
@example("x)(|(y=*))")
def test_filters(text: str) -> None:
    points, kind, rule = verdict(text)
    if filter_breaks(text):
        assert points >= 60, (text, points, kind, rule)
    else:
        assert rule != "filter", (text, points)


QUOTED = st.lists(st.sampled_from(["''", '""', "\\", "w", "'", '"', "$@"]), max_size=5)


@MANY
@given(
    before=st.sampled_from(["", "x", "8.8.8.8", "a b"]),
    word=st.sampled_from(["wget", "curl", "whoami", "nslookup", "ifconfig"]),
    marks=st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["''", '""', "\\"])), max_size=4),
    argument=st.sampled_from([" -x", " /tmp/a", " http://a.example", "", "|sort", ";ls"]),
)
def test_commands_in_quotes(
    before: str, word: str, marks: list[tuple[int, str]], argument: str
) -> None:
    """Whatever a shell takes out of a word before it runs it."""
    hidden = word
    for place, mark in marks:
        at = place % len(hidden)
        hidden = hidden[:at] + mark + hidden[at:]
    text = f"{before};{hidden}{argument}"
    run = first_command(text.replace("|", " | ").replace(";ls", " ; ls"))
    points, kind, _ = verdict(text)
    if run == word:
        assert points >= 60 and kind == "shell", (text, points, kind)


SPACE = st.sampled_from([" ", "/**/", "  ", "\t", "\n", "/*x*/", " /* y */ "])
VALUE = st.sampled_from(["1", "2", "0", "'a'", "'b'", "null", "true", "count", "x"])
MARK = st.sampled_from(["=", "<", ">", "<>", "!=", "<=", ">=", "<=>"])


@MANY
@given(
    start=st.sampled_from(["1", "'", "x'", "7)", '"', ""]),
    logic=st.sampled_from(["or", "and", "nor", "for"]),
    left=VALUE, mark=MARK, right=VALUE, tail=st.sampled_from(["", "--", "#", "/*", " limit 1"]),
    spaces=st.tuples(SPACE, SPACE, st.sampled_from(["", " ", "/**/"]), st.sampled_from(["", "\n"])),
)  # fmt: skip
def test_tautologies(
    start: str, logic: str, left: str, mark: str, right: str, tail: str, spaces: tuple[str, ...]
) -> None:
    a, b, c, d = spaces
    text = f"{start}{a}{logic}{b}{left}{c}{mark}{d}{right}{tail}"
    points, kind, _ = verdict(text)
    if tautology(text):
        assert points >= 60 and kind == "sql", (text, points, kind)
    elif logic in ("nor", "for") and not tail and not set("'\"\n") & set(text):
        assert points < 60, (text, points, kind)


@pytest.mark.parametrize("text", ["1 or 1=1", "x' or 'a'='a'", "1/**/and/*x*/2>1"])
def test_the_twin_itself(text: str) -> None:
    assert tautology(text)
    assert not tautology(text.replace("or", "for").replace("and", "band"))
