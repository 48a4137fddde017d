"""Single values changed in a TOML text: nothing else moves, or nothing is changed."""

from __future__ import annotations

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


@given(VALUES)
def test_toml_of_a_value(value: Any) -> None:
    assert tomllib.loads(f"v = {toml(value)}")["v"] == value
