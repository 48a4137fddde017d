"""The scanner with the hub's own keywords."""

from __future__ import annotations

import pytest

from pihub._core.scanner import Scanner
from pihub.security.scanner.keywords import load


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner(load(), bytes(range(32)))
