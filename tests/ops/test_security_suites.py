"""What `make security` says of suites that could not be done."""

from __future__ import annotations

import pytest

from tests.security_suite.__main__ import undone

LEFT = ["pip-audit: the advisory service does not answer", "wapiti: not installed"]


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ([], ["pip-audit", "wapiti"]),
        (["pip-audit"], ["wapiti"]),
        (["pip-audit", "wapiti"], []),
        (["sqlmap"], ["pip-audit", "wapiti"]),
    ],
)
def test_only_what_was_named_before_may_be_left_out(
    without: list[str], missing: list[str]
) -> None:
    assert undone(LEFT, without) == missing
    assert undone([], without) == []
