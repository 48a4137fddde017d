"""The scanner knows the line of every key that tomllib finds."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pihub.settings.positions import positions

TEXT = '''\
# a comment = 1
top = "a # b" # c
[a.b]   # d
x = """
[no] = 1
quote: \\""" and ""\\"
"""
y = \'\'\'
z = [
\'\'\'\'\'
list = [ # one
  "]", [1, 2],   # two
  { p = 1, "q r" = [3,
  4] },
]
"dotted.key".sub = { m = "}", n = { o = 1 } }
\'lit "x"\'=1
date = 1979-05-27 07:32:00

[[tables]]
k = 1
[[tables]]
[last]
long = """one \\
  two"""
"\\u00e9" = 1
'''


def test_every_form_of_key_and_value() -> None:
    tomllib.loads(TEXT)
    found = positions(TEXT)
    expected = {
        ("top",): 2,
        ("a", "b"): 3,
        ("a", "b", "x"): 4,
        ("a", "b", "y"): 8,
        ("a", "b", "list"): 11,
        ("a", "b", "list", "q r"): 13,
        ("a", "b", "dotted.key", "sub"): 16,
        ("a", "b", "dotted.key", "sub", "n", "o"): 16,
        ("a", "b", 'lit "x"'): 17,
        ("a", "b", "date"): 18,
        ("tables",): 20,
        ("tables", "k"): 21,
        ("last",): 23,
        ("last", "é"): 26,
    }
    assert {key: found.get(key) for key in expected} == expected


def test_nothing_in_nothing() -> None:
    assert positions("") == {}
    assert positions("\n\n# only this") == {}


KEYS = st.text(st.sampled_from("abcXYZ019_-.\"' é#=[]{}"), min_size=1, max_size=6)
TEXTS = st.text(st.sampled_from("ab\"'\\\n#=[]{},é "), max_size=12)


def quoted(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
    return '"' + "".join(escapes.get(char, char) for char in text) + '"'


def written(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quoted(k)} = {written(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[\n " + " , # ]\n".join(written(item) for item in value) + "\n]"
    return quoted(value) if isinstance(value, str) else str(value)


VALUES = st.recursive(
    st.one_of(st.integers(-99, 99), TEXTS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner.filter(lambda v: not isinstance(v, list)), max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4))
def test_any_document(document: dict[str, dict[str, Any]]) -> None:
    lines: list[str] = []
    expected: dict[tuple[str, ...], int] = {}
    for table, pairs in document.items():
        expected[table,] = len(lines) + 1
        lines.append(f"[ {quoted(table)} ]")
        for key, value in pairs.items():
            expected[table, key] = len(lines) + 1
            lines += f"{quoted(key)} = {written(value)} # x".split("\n")
    text = "\n".join(lines)
    assert tomllib.loads(text) == document
    found = positions(text)
    assert {key: found.get(key) for key in expected} == expected
