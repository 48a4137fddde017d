"""No property fails by the clock: the profiles see to it, and no test asks for it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["default", "ci", "emulated", "again"])
def test_a_profile_has_no_deadline(name: str) -> None:
    profile = settings.get_profile(name)
    assert profile.deadline is None
    assert HealthCheck.too_slow in profile.suppress_health_check


def clocked(text: str) -> list[int]:
    """Lines on which settings give a deadline, or take a slow example for a failure again."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "settings",
            "hypothesis.settings",
        ):
            said = {one.arg: ast.unparse(one.value) for one in node.keywords}
            checks = said.get("suppress_health_check", "too_slow")
            if "deadline" in said or "too_slow" not in checks:
                found.append(node.lineno)
    return found


def test_no_test_has_a_deadline_of_its_own() -> None:
    found = {
        str(path): lines for path in TESTS.rglob("*.py") if (lines := clocked(path.read_text()))
    }
    assert found == {}


def test_the_law_has_teeth() -> None:
    assert clocked("@settings(deadline=9)\ndef f(): pass") == [1]
    assert clocked("settings(suppress_health_check=[HealthCheck.data_too_large])") == [1]
    assert clocked("settings(max_examples=9)") == []
