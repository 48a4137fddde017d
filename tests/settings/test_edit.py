"""Single values changed in a TOML text: nothing else moves, or nothing is changed."""

from __future__ import annotations

import contextlib
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.errors import ConfigError
from pihub.settings.edit import changed, toml

TEXT = """\
# mine
[server]
listen = "127.0.0.1:8080"   # the house
workers = 2 # two
cors_origins = [
  "https://a.example", # first
  "https://b.example",
]

[upstreams.ollama]          # at home
kind = "ollama"
timers = { connect = 3.0 }

[models]
assistant.chain = ["ollama/x"]
"""


def test_a_value_is_replaced_and_its_comment_stays() -> None:
    made = changed(TEXT, {("server", "workers"): 4, ("server", "listen"): "[::1]:1"})
    assert made == TEXT.replace("workers = 2 #", "workers = 4 #").replace(
        '"127.0.0.1:8080"', '"[::1]:1"'
    )


def test_a_list_over_several_lines_is_replaced_whole() -> None:
    made = changed(TEXT, {("server", "cors_origins"): ["https://c.example"]})
    assert 'cors_origins = ["https://c.example"]\n\n[upstreams' in made


def test_a_new_key_stands_below_its_header() -> None:
    made = changed(TEXT, {("upstreams", "ollama", "url"): "http://x"})
    assert '[upstreams.ollama]          # at home\nurl = "http://x"\nkind' in made


def test_a_new_table_comes_last_and_odd_names_are_quoted() -> None:
    made = changed(TEXT, {("models", "a:b", "chain"): ["ollama/x"], ("cache", "size"): "1MB"})
    assert made.endswith('\n[models."a:b"]\nchain = ["ollama/x"]\n\n[cache]\nsize = "1MB"\n')


def test_a_key_is_taken_out_with_its_line() -> None:
    made = changed(TEXT, {("server", "workers"): None, ("cache", "size"): None})
    assert made == TEXT.replace("workers = 2 # two\n", "")


def test_values_inside_inline_tables_and_dotted_keys_are_replaced() -> None:
    made = changed(
        TEXT,
        {("upstreams", "ollama", "timers", "connect"): 9.0, ("models", "assistant", "chain"): []},
    )
    assert "{ connect = 9.0 }" in made
    assert "assistant.chain = []" in made


@pytest.mark.parametrize(
    "path", [("upstreams", "ollama", "timers", "idle"), ("server", "listen", "port")]
)
def test_what_it_cannot_do_it_says(path: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"edit the text|not below a table"):
        changed(TEXT, {path: 1})


def test_a_key_out_of_an_inline_table_is_refused() -> None:
    with pytest.raises(ConfigError, match="edit the text"):
        changed(TEXT, {("upstreams", "ollama", "timers", "connect"): None})


def test_an_empty_text_and_one_without_a_last_line_end() -> None:
    assert changed("", {("a", "b"): True}) == "[a]\nb = true\n"
    assert changed("[a]", {("a", "b"): 1}) == "[a]\nb = 1\n"
    assert changed("x = 1", {("a", "b"): 1}) == "x = 1\n\n[a]\nb = 1\n"


VALUES = st.one_of(
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(-1e9, 1e9),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f")),
    st.lists(st.text("ab\"'\\#]", max_size=5), max_size=3),
)
NAMES = st.sampled_from(["server", "x", "a b", 'q"', "upstreams"])


@given(st.lists(st.tuples(NAMES, NAMES, VALUES), max_size=5))
def test_what_is_written_is_read_back(pairs: list[tuple[str, str, Any]]) -> None:
    text = TEXT
    for table, key, value in pairs:
        try:
            text = changed(text, {(table, key): value})
        except ConfigError:
            continue
        assert tomllib.loads(text)[table][key] == value
    assert text.startswith("# mine\n")


def test_a_number_that_is_to_be_a_truth_is_changed() -> None:
    assert changed("[a]\nb = 1\n", {("a", "b"): True}) == "[a]\nb = true\n"
    assert changed("[a]\nb = 1\n", {("a", "b"): 1}) == "[a]\nb = 1\n"
    assert changed("[a]\nb = nan\nc = 1\n", {("a", "c"): 2}) == "[a]\nb = nan\nc = 2\n"


# Whole documents: every form of a value and of a key, comments with all that may mislead.
KEYS = st.sampled_from(["a", "b", "c-d", '"e f"', "'g.h'", '"#"'])
COMMENTS = st.sampled_from(["", " # [a] b = 1", '\t# """', " # '"])
WRITTEN = st.sampled_from(
    [
        "1", "-0.5", "1e3", "inf", "nan", "true", "0x1F", "1_000", "1979-05-27T07:32:00Z",
        "07:32:00",
        '""', '"# no comment"', r'"a \\" ] # b"', r"'c:\\'", "'\"'",
        '''"""\nfirst # line\n[a]\nb = 1\n"""''', r'''"""one \\
        two"""''', '''"""with "" in it"""""''', "'''\nraw \\ [x]\n'''", "'''it's''''",
        "[]", "[1, 2,]", "[ # one\n  'x', # ]\n\n  \"y\"\n]", "[[1], ['#', \"]\"]]",
        "[{a = 1}, {a = 2}]",
        "{}", "{ a = 1, b.a = '}' }", "{ a = { b = [1] }, 'g.h' = \"{\" }",
    ]
)  # fmt: skip
PAIR = st.builds(
    lambda pad, keys, gap, value, note: f"{pad}{'.'.join(keys)}{gap}={gap}{value}{note}\n",
    st.sampled_from(["", "  ", "\t"]), st.lists(KEYS, min_size=1, max_size=2),
    st.sampled_from(["", " ", "\t "]), WRITTEN, COMMENTS,
)  # fmt: skip
HEAD = st.builds(
    lambda sign, keys, note: sign.replace("x", ".".join(keys)) + f"{note}\n",
    st.sampled_from(["[x]", "[[x]]", " [ x ]"]), st.lists(KEYS, min_size=1, max_size=3), COMMENTS,
)  # fmt: skip
LINE = st.one_of(PAIR, HEAD, st.sampled_from(["\n", "# c = 1\n", "  # [d]\n"]))
PATHS = st.lists(st.sampled_from(["a", "b", "c-d", "e f", "g.h", "#"]), min_size=1, max_size=3)


def document(lines: list[str]) -> str:
    """As many of the lines as are TOML together."""
    text = ""
    for line in lines:
        with contextlib.suppress(tomllib.TOMLDecodeError):
            tomllib.loads(text + line)
            text += line
    return text


def put(tree: Any, path: list[str], value: Any) -> Any:
    """The tree with that value; None takes it out. Another hand than edit.py's."""
    head, *rest = path
    below = tree.get(head)
    if value is None and (head not in tree or (rest and not isinstance(below, dict))):
        return tree
    if rest:
        return {**tree, head: put({} if below is None else below, rest, value)}
    return {k: v for k, v in tree.items() if k != head} if value is None else {**tree, head: value}


def told(tree: Any) -> str:
    """By which two trees are compared: with the types, whatever the order."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{k!r}: {told(v)}" for k, v in sorted(tree.items())) + "}"
    return f"[{', '.join(map(told, tree))}]" if isinstance(tree, list) else repr(tree)


@given(st.lists(LINE, max_size=12), PATHS, st.one_of(st.none(), VALUES), st.booleans())
def test_any_text_is_changed_in_that_value_alone_or_not_at_all(
    lines: list[str], path: list[str], value: Any, cut: bool
) -> None:
    text = document(lines)
    text = text.rstrip("\n") if cut else text
    try:
        made = changed(text, {tuple(path): value})
    except ConfigError:
        return
    assert told(tomllib.loads(made)) == told(put(tomllib.loads(text), path, value))
    for comment in ("# c = 1\n", "  # [d]\n"):
        assert made.count(comment) >= text.count(comment) - cut
    if value is not None and value_at(text, path) is None:
        begin = alike(text, made)
        end = alike(text[begin:][::-1], made[begin:][::-1])
        assert begin + end >= len(text), "a new key takes nothing away"


def alike(one: str, other: str) -> int:
    """How many characters the two have in common, from the first on."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def value_at(text: str, path: list[str]) -> Any:
    found: Any = tomllib.loads(text)
    for part in path:
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    return found


@given(VALUES)
def test_toml_of_a_value(value: Any) -> None:
    assert tomllib.loads(f"v = {toml(value)}")["v"] == value
