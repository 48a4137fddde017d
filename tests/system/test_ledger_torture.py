"""Small enough for every run; `python -m benchmarks ledger` is the full size."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.hub import Upstreams
from tests.system.ledger import Plan, Torture


@pytest.mark.slow
def test_the_ledger_is_what_the_upstreams_made(tmp_path: Path, upstreams: Upstreams) -> None:
    report = Torture(Plan(requests=600, kills=3), tmp_path, upstreams).run()
    assert report.sound, report
    assert report.requests == 600 and report.kills >= 1 and report.dropped > 40, report
    assert report.exact > 300 and report.cut > 0, report
