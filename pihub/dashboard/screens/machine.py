"""The System screen's upper half: what the machine suffers, what wears it out, the workers' number.

All numbers are the control process's and the arbiter's own, as they lie in the shared
memory and on /metrics.
"""

from __future__ import annotations

import time
from datetime import timedelta

from pihub.dashboard import words
from pihub.dashboard.parts import Card, Cell, Line, Table, Tone
from pihub.ops.easing import WORDS, Cause
from pihub.ops.machine import BEFORE, CAPPED, SOFT_LIMIT, THROTTLED, UNDER_VOLTAGE, Machine
from pihub.shared.machine import ARBITER, CONTROL, Gauge, MachineState, Why

WARM = 0.9
"""Share of `machine.hot` from which on a temperature is worth a look."""
FLAGS = (
    (UNDER_VOLTAGE, "Voltage too low", "use the power supply made for this board"),
    (CAPPED, "Frequency capped", "the firmware holds the clock down"),
    (THROTTLED, "Throttled", "the firmware slows the processor: cool it, or feed it better"),
    (SOFT_LIMIT, "Soft temperature limit", "a fan or a heat sink helps"),
)
"""Bits of get_throttled (Raspberry Pi documentation, vcgencmd)."""
WHYS = {
    Why.START: "the least number, since the start",
    Why.BUSY: "one more: workers were busy",
    Why.QUEUE: "one more: connections waited to be accepted",
    Why.IDLE: "one less: workers were idle",
    Why.MEMORY: "one less: the machine's memory ran short",
    Why.SIGNAL: "by hand (signal TTIN or TTOU)",
}


def cards(board: MachineState, machine: Machine, hot: float) -> tuple[Card, ...]:
    """Temperature, trouble with power, memory, what is written, workers."""
    flags = board.get(CONTROL, Gauge.FLAGS)
    free = board.get(CONTROL, Gauge.AVAILABLE)
    return (
        _temperature(board.get(CONTROL, Gauge.TEMPERATURE), hot),
        _power(flags),
        Card(
            "Memory free",
            words.size(free) if board.get(CONTROL, Gauge.READ_AT) else words.NONE,
            f"of {words.size(machine.memory)}",
        ),
        _written(board, machine),
        _admission(board),
        Card(
            "Workers wanted",
            str(board.get(ARBITER, Gauge.WORKERS) or words.NONE),
            f"{_share(board.get(ARBITER, Gauge.LOAD))} busy",
        ),
    )


def tables(board: MachineState, machine: Machine, storage: str) -> tuple[Table, ...]:
    return (_trouble(board), _workers(board), _wear(board, machine, storage))


def _temperature(milli: int | None, hot: float) -> Card:
    if not milli:
        return Card("Temperature", words.NONE, "this machine does not tell")
    degrees = milli / 1000
    tone: Tone = "down" if degrees >= hot else "look" if degrees >= hot * WARM else ""
    return Card("Temperature", f"{degrees:.0f} °C", f"hot from {hot:g} °C on", tone=tone)


def _power(flags: int | None) -> Card:
    if flags is None:
        return Card("Power", words.NONE, "no firmware that tells")
    now = [name for bit, name, _ in FLAGS if flags & bit]
    past = [name for bit, name, _ in FLAGS if flags & bit << BEFORE]
    if now:
        return Card("Power", "trouble", ", ".join(now).lower(), tone="down")
    if past:
        return Card("Power", "fine now", f"since boot: {', '.join(past).lower()}", tone="look")
    return Card("Power", "fine", "never throttled since boot", tone="well")


def _written(board: MachineState, machine: Machine) -> Card:
    written, budget = board.get(CONTROL, Gauge.WRITTEN_DAY), board.get(CONTROL, Gauge.WRITE_BUDGET)
    if written is None or not budget:
        return Card("Written a day", words.NONE, "not measured yet")
    return Card(
        "Written a day",
        words.size(written),
        f"of {words.size(budget)} (machine.write_budget)",
        tone="look" if written > budget else "",
    )


def _admission(board: MachineState) -> Card:
    share = board.get(CONTROL, Gauge.SHARE) or 1000
    cause = WORDS.get(Cause(board.get(CONTROL, Gauge.CAUSE) or 0), "")
    return Card(
        "Requests let in",
        f"{share / 10:.0f} %",
        cause or "of the configured limit",
        tone="look" if share < 1000 else "",
    )


def _trouble(board: MachineState) -> Table:
    flags = board.get(CONTROL, Gauge.FLAGS)
    rows: list[Line] = []
    if flags is not None:
        for bit, name, advice in FLAGS:
            now, past = bool(flags & bit), bool(flags & bit << BEFORE)
            tone: Tone = "down" if now else "look" if past else "well"
            rows.append(
                Line(
                    (
                        Cell(name, advice if now or past else ""),
                        Cell("yes" if now else "no", tone=tone),
                        Cell("yes" if past else "no"),
                    )
                )
            )
    return Table(
        "Throttling",
        ("What the firmware reports", "Now", "Since boot"),
        tuple(rows),
        "This machine has no Raspberry Pi firmware that reports throttling or low voltage.",
    )


def _workers(board: MachineState) -> Table:
    wanted = board.get(ARBITER, Gauge.WORKERS) or 0
    least = board.get(ARBITER, Gauge.WORKERS_MIN) or 0
    most = board.get(ARBITER, Gauge.WORKERS_MAX) or 0
    at = board.get(ARBITER, Gauge.SCALED_AT) or 0
    fixed = least == most
    why = WHYS.get(Why(board.get(ARBITER, Gauge.SCALED_FOR) or 0), "")
    queued = board.get(ARBITER, Gauge.QUEUED) or 0
    lines = (
        ("Workers", str(wanted), "fixed" if fixed else f"between {least} and {most} by the load"),
        ("Why so many", "as configured" if fixed else why,
         words.ago(at) if at else ""),
        ("Busy", _share(board.get(ARBITER, Gauge.LOAD)), "of a worker's time, averaged over all"),
        ("Connections that wait", words.count(queued), "to be accepted, now"),
    )  # fmt: skip
    note = (
        "The number is fixed. Set server.max_workers above server.min_workers to let it follow "
        "the load."
        if fixed
        else ""
    )
    return Table(
        "Workers and why",
        ("What", "Value", "Note"),
        tuple(Line((Cell(a), Cell(b), Cell(c))) for a, b, c in lines) if wanted else (),
        "The arbiter has not told yet.",
        note=note,
    )


def _wear(board: MachineState, machine: Machine, storage: str) -> Table:
    budget = board.get(CONTROL, Gauge.WRITE_BUDGET) or 0
    daily = board.get(CONTROL, Gauge.WRITTEN_DAY)
    rows = [
        ("Written by the hub since its start", board.get(CONTROL, Gauge.WRITTEN), ""),
        ("Written a day", daily, "over the last day, or scaled up from what there is"),
        ("Budget a day", budget or None, "machine.write_budget: beyond it the hub warns"),
        ("In ten years at this rate", None if daily is None else daily * 3650,
         "a card of 32 GB endures some 10 to 30 TB"),
        ("Written by everybody to this device", board.get(CONTROL, Gauge.DEVICE_WRITTEN),
         "since the machine started"),
    ]  # fmt: skip
    up = timedelta(seconds=int(time.clock_gettime(time.CLOCK_BOOTTIME)))
    where = storage or "no card and no disk (a RAM disk, a container or a network)"
    return Table(
        "Wear of the storage",
        ("What", "#Bytes", "Note"),
        tuple(
            Line((Cell(name), Cell(words.size(value)), Cell(note)))
            for name, value, note in rows
        ),
        "Nothing was read yet.",
        note=f"The database lies on: {where}. The machine has been up for "
        f"{words.age(up.total_seconds())}: {machine.model}, {machine.cores} cores, "
        f"{machine.system}.",
    )


def _share(thousandths: int | None) -> str:
    return words.NONE if thousandths is None else f"{thousandths / 10:.0f} %"
