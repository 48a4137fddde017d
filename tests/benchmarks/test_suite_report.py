"""The suite's page says what a stranger needs to judge it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.suite import report
from benchmarks.suite.openloop import Result
from benchmarks.suite.run import Hub, failures
from pihub.ops.machine import Reading

PI = {
    "model": "Raspberry Pi 5", "cores": 4, "memory_mb": 8000, "system": "Debian 13",
    "kernel": "6.12", "page_size": 16384, "machine": "aarch64", "python": "3.13.5",
    "pihub": "0.1.0", "storage": "SSD", "temperature_c": 50.4, "throttled": False,
    "load_before": 0.2,
}  # fmt: skip


def document(**figures: tuple[list[float], str]) -> dict[str, object]:
    made = {name: report.figure(*one) for name, one in figures.items()}
    return {"machine": PI, "rounds": 3, "figures": made, "notes": ["a note"]}


def test_a_quiet_cool_machine_needs_no_excuse() -> None:
    found = report.fared(PI, Reading(temperature=61.2, flags=0))
    assert found == ["temperature: 50 °C before, 61 °C after",
                     "the firmware never slowed the processor down"]  # fmt: skip
    assert report.fared({**PI, "temperature_c": None}, Reading(temperature=50.0)) == []


def test_what_makes_figures_worth_less_is_said() -> None:
    [busy] = report.fared({**PI, "load_before": 5.5}, Reading())
    assert "load 5.5 on 4 cores" in busy
    for flags in (0x4, 0x80000):  # throttled now; the soft limit, before
        [slowed] = report.fared(PI, Reading(flags=flags))
        assert "slowed the processor down" in slowed and "never" not in slowed


def test_the_page_names_machine_rounds_and_what_moved(tmp_path: Path) -> None:
    before = document(hit=([10.0, 10.2, 9.8], "ms"), most=([900.0, 910.0, 905.0], "req/s"))
    baseline = tmp_path / "result.json"
    baseline.write_text(json.dumps(before))
    now = document(hit=([20.0, 20.2, 19.8], "ms"), most=([902.0, 908.0, 903.0], "req/s"))
    page = report.write(tmp_path / "out", now, {"hit": [1.0, 2.0, 30.0]}, str(baseline))
    text = page.read_text()
    assert "Raspberry Pi 5, 4 cores, 8000 MB, Debian 13, kernel 6.12 with pages of 16 KiB" in text
    assert "SSD, load before 0.2." in text
    assert "| hit | 20 | 0.2 | ms |" in text
    assert "- a note" in text
    assert "- hit: a chat of temperature 0 that the cache answers" in text
    assert "- hit: 10 -> 20 ms (+100 %), WORSE" in text
    assert "- most: 9" not in text
    assert json.loads((tmp_path / "out/result.json").read_text())["figures"]["hit"]["value"] == 20
    assert "<polyline" in (tmp_path / "out/latency.svg").read_text()


def test_a_hub_that_ends_ends_the_run_and_says_why(tmp_path: Path) -> None:
    hub = Hub.__new__(Hub)
    hub.folder = tmp_path
    (tmp_path / "log").write_text("out of memory")
    hub.process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    hub.check()
    hub.process.communicate(b"\n")
    with pytest.raises(SystemExit, match="out of memory"):
        hub.check()


def test_what_failed_is_told_by_job_and_status() -> None:
    rounds = [Result(statuses={200: 9, 503: 1}), Result(statuses={200: 8, 503: 2}, failures=1)]
    assert failures({"hit": rounds, "stream": [Result(statuses={200: 5})]}) == [
        "hit: 1 x no answer", "hit: 3 x status 503",
    ]  # fmt: skip
