"""Small enough for every run; `python -m benchmarks webhooks` is the full size."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.hub import Upstreams
from tests.system.torture import Plan, Torture


@pytest.mark.slow
def test_what_was_acknowledged_arrives_once_and_in_order(
    tmp_path: Path, upstreams: Upstreams
) -> None:
    plan = Plan(events=3200, rate=320.0, kills=4, arbiter_kills=1, full=(1.0, 2.5), away=(5.0, 6.5))
    report = Torture(plan, tmp_path, upstreams).run()
    assert report.acknowledged == 3200, report
    assert report.lost == 0, report
    assert report.twice == 0, report
    assert report.disordered == 0, report
    assert report.kills["arbiter"] == 1 and sum(report.kills.values()) >= 4, report
    assert report.refused > 0, "nothing went wrong, so nothing was shown"
