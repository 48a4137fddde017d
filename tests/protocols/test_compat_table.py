"""docs/compat.md says what the tests prove, no more and no less."""

from __future__ import annotations

from tests.protocols.compat import PAGE, SECTIONS, page, proofs


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.protocols.compat"


def test_cases_are_numbered_without_gaps_and_tests_name_known_ones() -> None:
    numbers = [number for cases in SECTIONS.values() for number in cases]
    assert numbers == list(range(1, 64))
    assert set(proofs()) <= set(numbers)
    assert len(proofs()) > 40
