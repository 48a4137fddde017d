"""What a part tells by itself."""

from __future__ import annotations

from pihub.dashboard.parts import Bar, Bars

MONDAY, TUESDAY = Bar("Mon", 2.0, "$2", 3.0, "$3"), Bar("Tue", 1.0, "$1")
NONE = Bar("Wed", 0.0, "$0", 0.0, "$0")


def test_one_bar_is_a_sentence_and_several_have_a_scale() -> None:
    names = ("Spent", "Saved")
    assert Bars("", (NONE, MONDAY), names).single == "So far only Mon: spent $2, saved $3."
    assert Bars("", (TUESDAY,), ("Spent",)).single == "So far only Tue: spent $1."
    assert Bars("", (NONE,), names).single == Bars("", (), names).single == "Nothing yet."
    both = Bars("", (TUESDAY, NONE, MONDAY), names)
    assert (both.single, both.top_text) == ("", "$3"), "the highest of both series"
