"""What makes up a score of health: the parts of an upstream's and of the box's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pihub.domain.score import Part, Score, falling, score
from pihub.domain.trend import Baseline
from pihub.ops.machine import Reading

BOX = "box"
BEHIND = 4096
"""Records that wait to be stored: half of a worker's ring."""
WEEK = 7 * 86400.0


class UpstreamSeen(NamedTuple):
    """What is known of an upstream."""

    name: str
    breaker: str
    """closed, half-open, open, or held: taken out by hand."""
    open_share: float
    """Of the last five minutes."""
    calls: int
    """Within them, as the next two."""
    failures: int
    timeouts: int
    latency: Baseline | None
    paces: Sequence[tuple[str, Baseline]]
    """(model, tokens a second) of what it serves now."""


class BoxSeen(NamedTuple):
    """What is known of the machine and the hub's processes."""

    reading: Reading
    memory: int
    """Bytes of RAM; 0: unknown."""
    disk_free: int
    disk_size: int
    disk_full_in: float | None
    """Seconds."""
    hot: float
    written_day: int
    write_budget: int
    behind: int
    lost: int
    """Records, within the last five minutes."""
    silent: Sequence[str]
    """Processes that show no sign of life."""


def judge_upstream(one: UpstreamSeen) -> Score:
    return score(one.name, _upstream(one))


def judge_box(one: BoxSeen) -> Score:
    return score(BOX, _box(one))


def _upstream(one: UpstreamSeen) -> Iterable[Part]:
    up = 1.0 - one.open_share
    yield Part(
        "availability", 30, up, f"{100 * up:.0f} % of the last 5 minutes",
        "" if up == 1 else f"bring {one.name} back: its breaker opens while calls fail",
    )  # fmt: skip
    rate = one.failures / one.calls if one.calls else None
    late = f", {one.timeouts} by a timer" if one.timeouts else ""
    yield Part(
        "errors", 30, None if rate is None else falling(rate, 0.01, 0.25),
        "not called lately" if rate is None else f"{one.failures} of {one.calls} calls{late}",
        f"see why calls of {one.name} fail: its failed requests, its own log, its timers"
        if rate is not None and rate > 0.01 else "",
    )  # fmt: skip
    slow = None if one.latency is None else one.latency.ratio
    yield Part(
        "latency", 20, None if slow is None else falling(slow, 1.25, 4.0),
        "not known yet" if slow is None or one.latency is None
        else f"{one.latency.now:.0f} ms, usually {one.latency.usual:.0f} ms",
        f"{one.name} answers {slow:.1f} times as slowly as usual: less at once, "
        "or another target" if slow is not None and slow > 1.25 else "",
    )  # fmt: skip
    known = [(pace.ratio, model, pace) for model, pace in one.paces if pace.ratio is not None]
    if known:
        ratio, model, pace = min(known, key=lambda item: item[0] or 0.0)
        yield Part(
            "tokens a second", 10, falling(ratio or 0.0, 0.9, 0.4),
            f"{model}: {pace.now:.1f}/s, usually {pace.usual:.1f}/s",
            f"{model} is slower than usual: heat, memory, or another version of Ollama"
            if (ratio or 0.0) < 0.9 else "",
        )  # fmt: skip
    state = {"closed": 1.0, "half-open": 0.5, "held": None}.get(one.breaker, 0.0)
    yield Part(
        "breaker", 10, state, "held open by hand" if state is None else one.breaker,
        "" if state in (1, None) else "it closes by itself after a call that succeeds",
    )  # fmt: skip


def _box(one: BoxSeen) -> Iterable[Part]:
    free = one.reading.available
    if free is not None and one.memory:
        share = free / one.memory
        yield Part(
            "memory", 20, falling(share, 0.15, 0.03),
            f"{free / 1e6:,.0f} of {one.memory / 1e6:,.0f} MB free",
            "a smaller model, a smaller cache.size, or fewer workers" if share < 0.15 else "",
        )  # fmt: skip
    if one.disk_size:
        share = one.disk_free / one.disk_size
        fit = falling(share, 0.10, 0.02)
        soon = one.disk_full_in is not None and one.disk_full_in < WEEK
        if one.disk_full_in is not None:
            fit = min(fit, falling(one.disk_full_in, WEEK, 0.0))
        yield Part(
            "disk", 20, fit,
            f"{one.disk_free / 1e9:,.1f} of {one.disk_size / 1e9:,.1f} GB free",
            "free some space, or lower store.retention_days" if share < 0.10 or soon else "",
        )  # fmt: skip
    heat = one.reading.temperature
    if heat is not None:
        yield Part(
            "temperature", 15, falling(heat, one.hot - 12, one.hot + 3), f"{heat:.0f} °C",
            "a fan or a heat sink: the processor slows down when hot"
            if heat > one.hot - 12 else "",
        )  # fmt: skip
    if one.reading.flags is not None:
        yield _power(one.reading)
    waits = [one.reading.memory_some, one.reading.io_some]
    if known := [value for value in waits if value is not None]:
        worst = max(known)
        what = "memory" if worst == waits[0] else "storage"
        yield Part(
            "pressure", 10, falling(worst, 5.0, 40.0),
            f"work waited for {what} {worst:.0f} % of the time",
            f"less that needs {what} at once" if worst > 5 else "",
        )  # fmt: skip
    if one.write_budget:
        part = one.written_day / one.write_budget
        yield Part(
            "wear", 5, falling(part, 1.0, 3.0),
            f"{one.written_day / 1e6:,.0f} MB a day written",
            "a longer store.flush, or a shorter store.retention_days" if part > 1 else "",
        )  # fmt: skip
    stored = 0.0 if one.lost else falling(one.behind, BEHIND / 4, BEHIND)
    yield Part(
        "records", 10, stored,
        f"{one.lost} lost, {one.behind} not stored yet",
        "a faster disk: records come faster than they are stored" if stored < 1 else "",
    )  # fmt: skip
    yield Part(
        "processes", 10, 0.0 if one.silent else 1.0,
        f"silent: {', '.join(one.silent)}" if one.silent else "all alive",
        "the log says why; pihub doctor looks further" if one.silent else "",
    )  # fmt: skip


def _power(reading: Reading) -> Part:
    ever = (reading.flags or 0) >> 16
    if reading.under_voltage:
        return Part("power", 15, 0.0, "under-voltage now",
                    "the power supply made for this board")  # fmt: skip
    if reading.throttled:
        return Part("power", 15, 0.2, "throttled now", "cooling, and the right power supply")
    if ever:
        return Part("power", 15, 0.8, "was throttled or under-voltage since the start",
                    "the power supply made for this board")  # fmt: skip
    return Part("power", 15, 1.0, "no complaint of the firmware")
