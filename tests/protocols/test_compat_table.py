"""docs/compat.md says what the tests prove, no more and no less."""

from __future__ import annotations

import ast

import pytest

from tests.protocols.compat import (
    FAULTS,
    INVARIANTS,
    MATRIX,
    PAGE,
    ROOT,
    SECTIONS,
    page,
    proofs,
    wanted,
)
from tests.system.test_fault_matrix import CASES


@pytest.mark.native
def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.protocols.compat"


def test_cases_are_numbered_without_gaps_and_each_has_a_test() -> None:
    numbers = [number for cases in SECTIONS.values() for number in cases]
    assert numbers == sorted(proofs()) == list(range(1, 64))
    assert list(FAULTS) == [f"F{n}" for n in range(1, 19)]
    assert set(CASES) == set(FAULTS)
    assert list(INVARIANTS) == list(range(1, 11))
    assert all(tests for _, tests in INVARIANTS.values()), "not proven by a test"


def test_every_test_that_is_named_exists() -> None:
    for name in wanted():
        path, _, test = name.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        known = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert test.partition("[")[0] in known, name


@pytest.mark.parametrize(
    ("name", "row"),
    [
        (proofs()[1][0], f"| 1 | {SECTIONS['Messages'][1]} |  |  |"),
        (f"{MATRIX}::test_fault[F2]", f"| F2 | {FAULTS['F2']} |" + "  |" * 6),
        (INVARIANTS[4][1][0], f"| 4 | {INVARIANTS[4][0]} |  |  |"),
    ],
    ids=["case", "fault", "invariant"],
)
def test_what_did_not_run_has_no_tick(name: str, row: str) -> None:
    assert row not in page()
    assert row in page(wanted() - {name})
