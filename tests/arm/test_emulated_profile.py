"""Under emulation fewer examples are tried, of every property that is run there."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import settings

from arm.prove import TESTS
from tests.effort import examples

ROOT = Path(__file__).parents[2]


def test_numbers_of_examples_follow_the_profile() -> None:
    usual = examples(400).max_examples
    before = settings.get_current_profile_name()
    settings.load_profile("emulated")
    try:
        assert examples(400).max_examples == 80 < usual
        assert examples(1).max_examples == 1
    finally:
        settings.load_profile(before)


def test_no_property_that_runs_there_has_a_number_of_its_own() -> None:
    own = re.compile(r"max_examples=\d")
    files = [file for folder in TESTS for file in (ROOT / folder).rglob("*.py")]
    assert len(files) > 50
    assert [str(file) for file in files if own.search(file.read_text())] == []
