"""Prometheus' own judge over what the hub tells and over the rules that come along."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pihub.insight.health_metrics import VITALS
from pihub.shared.state import SharedState
from pihub.shared.vitals import Sample, publish
from tests.insight.test_openmetrics import DEPLOY, busy, told

RULES = """
rule_files: [alerts.yml]
tests:
  - interval: 1m
    input_series:
      - {series: 'pihub_health_score{of="box"}', values: '40x20'}
      - {series: 'pihub_forecast_seconds_to_limit{what="disk",unit="bytes"}', values: '86400x60'}
      - {series: 'pihub_model_pace_tokens_per_second{model="m",kind="now"}', values: '4x30'}
      - {series: 'pihub_model_pace_tokens_per_second{model="m",kind="usual"}', values: '20x30'}
    alert_rule_test:
      - {eval_time: 4m, alertname: PihubUnhealthy, exp_alerts: []}
      - eval_time: 6m
        alertname: PihubUnhealthy
        exp_alerts:
          - exp_labels: {severity: warning, of: box}
            exp_annotations: {summary: "The health of box is 40 of 100"}
      - eval_time: 40m
        alertname: PihubRunsOut
        exp_alerts:
          - exp_labels: {severity: warning, what: disk, unit: bytes}
            exp_annotations: {summary: "The disk reaches its limit in 1d 0h 0m 0s, as it goes now"}
      - eval_time: 20m
        alertname: PihubSlowModel
        exp_alerts:
          - exp_labels: {severity: info, model: m}
            exp_annotations:
              {summary: "m on  gives less than half of its usual tokens a second"}
"""


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        reason = "needs promtool (Debian: prometheus)"
        # A developer's machine may lack it, and the summary says so; CI installs it.
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def judged(*command: str | Path, said: str = "") -> str:
    found = subprocess.run(command, input=said, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout + found.stderr


def test_the_rules_are_sound(promtool: str) -> None:
    assert "SUCCESS" in judged(promtool, "check", "rules", DEPLOY / "alerts.yml")


def test_the_rules_fire_when_they_should(promtool: str, tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "alerts.yml", tmp_path)
    (tmp_path / "test.yml").write_text(RULES)
    assert "SUCCESS" in judged(promtool, "test", "rules", tmp_path / "test.yml")


def test_what_is_told_passes_its_lint(promtool: str, state: SharedState) -> None:
    busy(state)
    publish(state.vitals, [Sample(name, (("of", "x"),), 1.0) for name in VITALS])
    assert judged(promtool, "check", "metrics", said=told(state, "text/plain")) == ""
