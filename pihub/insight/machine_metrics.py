"""What /metrics says of the machine and of the number of workers.

Families without a reading on this machine are left out.
"""

from __future__ import annotations

from collections.abc import Callable

from pihub.insight.family import Family, Metric, Scrape, Values
from pihub.shared.machine import ARBITER, CONTROL, Gauge

_PRESSURES = (
    ("memory", "some", Gauge.MEMORY_SOME),
    ("memory", "full", Gauge.MEMORY_FULL),
    ("cpu", "some", Gauge.CPU_SOME),
    ("io", "some", Gauge.IO_SOME),
)
_BOUNDS = (("min", Gauge.WORKERS_MIN), ("max", Gauge.WORKERS_MAX))
_EVER = 16
"""Where the firmware's flags of ever since its start begin, above those of now."""
_UNDER_VOLTAGE, _SLOWED = 0b1, 0b1110


def _control(scrape: Scrape, gauge: Gauge) -> int | None:
    """None: the control process has not read it."""
    board = scrape.state.machine
    return board.get(CONTROL, gauge) if board.get(CONTROL, Gauge.READ_AT) else None


def _arbiter(scrape: Scrape, gauge: Gauge) -> int | None:
    board = scrape.state.machine
    return board.get(ARBITER, gauge) if board.get(ARBITER, Gauge.WORKERS) else None


def _one(
    read: Callable[[Scrape, Gauge], int | None], gauge: Gauge, scale: int = 1
) -> Callable[[Scrape], Values]:
    def values(scrape: Scrape) -> Values:
        value = read(scrape, gauge)
        if value is not None:
            yield {}, value / scale if scale > 1 else value

    return values


def _flag(bits: int) -> Callable[[Scrape], Values]:
    def values(scrape: Scrape) -> Values:
        flags = _control(scrape, Gauge.FLAGS)
        if flags is not None:
            yield {}, int(bool(flags & bits))

    return values


def _ever(scrape: Scrape) -> Values:
    flags = _control(scrape, Gauge.FLAGS)
    if flags is not None:
        yield {"what": "under_voltage"}, int(bool(flags >> _EVER & _UNDER_VOLTAGE))
        yield {"what": "throttled"}, int(bool(flags >> _EVER & _SLOWED))


def _pressure(scrape: Scrape) -> Values:
    for resource, kind, gauge in _PRESSURES:
        value = _control(scrape, gauge)
        if value is not None:
            yield {"resource": resource, "kind": kind}, value / 10_000


def _bounds(scrape: Scrape) -> Values:
    for name, gauge in _BOUNDS:
        value = _arbiter(scrape, gauge)
        if value is not None:
            yield {"bound": name}, value


MACHINE: tuple[Family, ...] = (
    Metric("pihub_machine_temperature_celsius", "gauge", "Hottest thermal zone",
           _one(_control, Gauge.TEMPERATURE, 1000)),
    Metric("pihub_machine_under_voltage", "gauge",
           "1 while the firmware reports too low a voltage", _flag(_UNDER_VOLTAGE)),
    Metric("pihub_machine_throttled", "gauge",
           "1 while the firmware slows the processor down", _flag(_SLOWED)),
    Metric("pihub_machine_trouble_since_boot", "gauge",
           "1 if the firmware has reported it since boot", _ever),
    Metric("pihub_machine_memory_available_bytes", "gauge", "Memory to be had without swapping",
           _one(_control, Gauge.AVAILABLE)),
    Metric("pihub_machine_pressure_ratio", "gauge",
           "Share of the last 10 s in which work waited", _pressure),
    Metric("pihub_admission_share", "gauge",
           "Share of the configured open requests that are let in",
           _one(_control, Gauge.SHARE, 1000)),
    Metric("pihub_storage_written_bytes_total", "counter", "Bytes the hub sent to storage",
           _one(_control, Gauge.WRITTEN)),
    Metric("pihub_storage_written_bytes_per_day", "gauge", "The same, a day",
           _one(_control, Gauge.WRITTEN_DAY)),
    Metric("pihub_storage_write_budget_bytes", "gauge", "machine.write_budget, a day",
           _one(_control, Gauge.WRITE_BUDGET)),
    Metric("pihub_storage_device_written_bytes_total", "counter",
           "Written to that device since boot", _one(_control, Gauge.DEVICE_WRITTEN)),
    Metric("pihub_workers_wanted", "gauge", "Workers that the arbiter keeps",
           _one(_arbiter, Gauge.WORKERS)),
    Metric("pihub_workers_bound", "gauge", "Least and most workers, by bound", _bounds),
    Metric("pihub_workers_busy_ratio", "gauge", "Busy share of a worker, averaged over all",
           _one(_arbiter, Gauge.LOAD, 1000)),
    Metric("pihub_connections_queued", "gauge", "Connections that wait to be accepted",
           _one(_arbiter, Gauge.QUEUED)),
)  # fmt: skip
