"""What the charts draw: steps of five seconds, seen or filled in from the minute sums."""

from __future__ import annotations

from typing import Any

from pihub.dashboard.chart import HEIGHT, WIDTH, area, decades, level, line, scale, table
from pihub.dashboard.history import STEP, STEPS, History
from pihub.store.rows import UsageRow

START = 1_700_000_000.0  # a whole step, 20 s into its minute


def document(at: float, requests: int, p95: float = 8.0) -> dict[str, Any]:
    return {
        "at": at,
        "totals": {"requests": requests},
        "now": {"requests_per_s": 0.0, "p50_ms": p95 / 2, "p95_ms": p95},
    }


def minute(start: float, requests: int) -> UsageRow:
    return UsageRow(int(start), "", requests, 0, 0, 0, 0, 0, 0, 0, 2_000.0, 9_000.0, 10_000.0)


def test_the_rate_of_a_step_is_its_requests_by_its_time() -> None:
    history = History()
    history.add(document(START, 100))
    for second in range(1, 5):
        tick = history.add(document(START + second, 100 + 10 * second))
    assert tick.step == int(START // STEP)
    assert tick.point.rate == 10.0
    assert (tick.point.p50, tick.point.p95) == (4.0, 8.0)
    tick = history.add(document(START + 5, 190))  # 50 in the last second
    assert tick.step == int(START // STEP) + 1
    assert tick.point.rate == 50.0


def test_requests_between_far_documents_are_in_no_step() -> None:
    history = History()
    history.add(document(START, 100))
    tick = history.add(document(START + 60, 1_000_100))
    assert tick.point.rate == 0.0


def test_a_counter_that_fell_is_no_negative_rate() -> None:
    history = History()
    history.add(document(START, 100))
    assert history.add(document(START + 1, 3)).point.rate == 0.0


def test_what_nobody_saw_comes_from_the_minute_sums() -> None:
    history = History()
    history.add(document(START, 100, p95=7.0))
    this_minute = START - START % 60
    series = history.series(START, [minute(this_minute - 60, 120), minute(this_minute, 40)])
    assert series["last"] == int(START // STEP)
    assert len(series["rate"]) == len(series["p50"]) == len(series["p95"]) == STEPS
    assert series["p95"][-1] == 7.0  # seen
    assert series["rate"][-2] == 2.0  # 40 requests in the 20 s of this minute
    assert series["rate"][-17] == 2.0 and series["p95"][-17] == 9.0  # 120 a minute
    assert series["rate"][0] == 0.0 and series["p95"][0] is None  # no sum: no request


def test_the_history_forgets() -> None:
    history = History()
    for step in range(STEPS + 50):
        history.add(document(START + step * STEP, 10 * step))
    assert len(history._points) == STEPS


def test_scales_are_round_and_above_all() -> None:
    assert [scale([value]) for value in (0, 1, 1.1, 3, 7, 12, 26, 499, 501)] == [
        1, 1, 2, 5, 10, 20, 50, 500, 1000,
    ]  # fmt: skip
    assert scale([None, None]) == 1


def test_latencies_lie_between_powers_of_ten() -> None:
    assert decades([None, 0.06, 400.0]) == (-2, 3)
    assert decades([8.0, 8.0]) == (-2, 1)  # three decades at least
    assert decades([None, 0]) == (0, 3)
    assert level(0.1, -2, 3) == 0.2
    assert level(None, -2, 3) is None and level(0, -2, 3) is None


def test_a_line_stops_where_nothing_is_known() -> None:
    path = line([0.0] * (STEPS - 4) + [None, 0.5, None, 1.0])
    assert path.count("M") == 3
    assert path.startswith(f"M0,{HEIGHT}L") and path.endswith(f"M{WIDTH},0")
    assert area([0.0] * STEPS).endswith(f"L{WIDTH},{HEIGHT}L0,{HEIGHT}Z")


def test_the_table_says_the_same_by_minutes() -> None:
    series = {
        "rate": [0.0] * (STEPS - 12) + [6.0] * 12,
        "p50": [None] * (STEPS - 1) + [4.0],
        "p95": [None] * STEPS,
    }
    rows = table(series)
    assert len(rows) == 15
    assert rows[0] == {"when": "this minute", "rate": "6.0", "p50": "4.0 ms", "p95": "–"}
    assert rows[1] == {"when": "1 min ago", "rate": "0", "p50": "–", "p95": "–"}
