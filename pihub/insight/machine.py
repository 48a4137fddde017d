"""What /metrics says of the machine and of the number of workers."""

from __future__ import annotations

from collections.abc import Iterator

from pihub.insight.exposition import Metric, family
from pihub.shared.machine import ARBITER, CONTROL, Gauge, MachineState

TEMPERATURE = Metric("pihub_machine_temperature_celsius", "gauge", "Hottest thermal zone")
UNDER_VOLTAGE = Metric(
    "pihub_machine_under_voltage", "gauge", "1 while the firmware reports too low a voltage"
)
THROTTLED = Metric(
    "pihub_machine_throttled", "gauge", "1 while the firmware slows the processor down"
)
EVER = Metric(
    "pihub_machine_trouble_since_boot", "gauge", "1 if the firmware has reported it since boot"
)
AVAILABLE = Metric(
    "pihub_machine_memory_available_bytes", "gauge", "Memory to be had without swapping"
)
PRESSURE = Metric(
    "pihub_machine_pressure_ratio", "gauge", "Share of the last 10 s in which work waited"
)
SHARE = Metric(
    "pihub_admission_share", "gauge", "Share of the configured open requests that are let in"
)
WRITTEN = Metric("pihub_storage_written_bytes_total", "counter", "Bytes the hub sent to storage")
PER_DAY = Metric("pihub_storage_written_bytes_per_day", "gauge", "The same, a day")
BUDGET = Metric("pihub_storage_write_budget_bytes", "gauge", "machine.write_budget, a day")
DEVICE = Metric(
    "pihub_storage_device_written_bytes_total", "counter", "Written to that device since boot"
)
WORKERS = Metric("pihub_workers_wanted", "gauge", "Workers that the arbiter keeps")
BOUNDS = Metric("pihub_workers_bound", "gauge", "Least and most workers, by bound")
LOAD = Metric("pihub_workers_busy_ratio", "gauge", "Busy share of a worker, averaged over all")
QUEUED = Metric("pihub_connections_queued", "gauge", "Connections that wait to be accepted")

MACHINE = (
    TEMPERATURE, UNDER_VOLTAGE, THROTTLED, EVER, AVAILABLE, PRESSURE, SHARE, WRITTEN, PER_DAY,
    BUDGET, DEVICE, WORKERS, BOUNDS, LOAD, QUEUED,
)  # fmt: skip

_PRESSURES = (
    ("memory", "some", Gauge.MEMORY_SOME),
    ("memory", "full", Gauge.MEMORY_FULL),
    ("cpu", "some", Gauge.CPU_SOME),
    ("io", "some", Gauge.IO_SOME),
)
_CONTROL = (
    (TEMPERATURE, Gauge.TEMPERATURE, 1000),
    (AVAILABLE, Gauge.AVAILABLE, 1),
    (SHARE, Gauge.SHARE, 1000),
    (WRITTEN, Gauge.WRITTEN, 1),
    (PER_DAY, Gauge.WRITTEN_DAY, 1),
    (BUDGET, Gauge.WRITE_BUDGET, 1),
    (DEVICE, Gauge.DEVICE_WRITTEN, 1),
)
_ARBITER = ((WORKERS, Gauge.WORKERS, 1), (LOAD, Gauge.LOAD, 1000), (QUEUED, Gauge.QUEUED, 1))


def lines(board: MachineState) -> Iterator[str]:
    """Families without a reading on this machine are left out."""
    if board.get(CONTROL, Gauge.READ_AT):
        for metric, gauge, scale in _CONTROL:
            yield from _one(metric, board.get(CONTROL, gauge), scale)
        flags = board.get(CONTROL, Gauge.FLAGS)
        if flags is not None:
            yield from family(UNDER_VOLTAGE, [({}, flags & 1)])
            yield from family(THROTTLED, [({}, int(bool(flags & 0b1110)))])
            past = flags >> 16
            yield from family(
                EVER,
                [({"what": "under_voltage"}, past & 1),
                 ({"what": "throttled"}, int(bool(past & 0b1110)))],
            )  # fmt: skip
        yield from family(
            PRESSURE,
            [
                ({"resource": resource, "kind": kind}, value / 10_000)
                for resource, kind, gauge in _PRESSURES
                if (value := board.get(CONTROL, gauge)) is not None
            ],
        )
    if board.get(ARBITER, Gauge.WORKERS):
        for metric, gauge, scale in _ARBITER:
            yield from _one(metric, board.get(ARBITER, gauge), scale)
        bounds = (("min", Gauge.WORKERS_MIN), ("max", Gauge.WORKERS_MAX))
        yield from family(
            BOUNDS, [({"bound": name}, board.get(ARBITER, gauge) or 0) for name, gauge in bounds]
        )


def _one(metric: Metric, value: int | None, scale: int) -> list[str]:
    if value is None:
        return []
    return family(metric, [({}, value / scale if scale > 1 else value)])
