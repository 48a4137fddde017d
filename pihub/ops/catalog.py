"""What the configuration in force offers: models with their chains, prices, APIs, workers."""

from __future__ import annotations

import time
from typing import NamedTuple

from pihub.domain.pricing import Price, PriceTable
from pihub.domain.target import parse_target
from pihub.settings.schema import Api, Settings
from pihub.shared.machine import ARBITER, Gauge, Why
from pihub.shared.metrics import Column, gauge
from pihub.shared.process import age, resident
from pihub.shared.state import SharedState


class Step(NamedTuple):
    """One target of a chain."""

    upstream: str
    kind: str
    model: str
    price: Price | None


class ModelRow(NamedTuple):
    name: str
    policy: str
    steps: tuple[Step, ...]


class WorkerRow(NamedTuple):
    """One living process of the hub."""

    slot: int
    role: str
    pid: int
    age: float
    """Seconds since it began."""
    rss: int | None
    beat: float
    """Seconds since its last sign of life."""
    requests: int
    in_flight: int
    streams: int


class Scaling(NamedTuple):
    """How many workers the arbiter keeps."""

    wanted: int | None
    least: int | None
    most: int | None
    why: str
    at: int | None
    """Unix seconds of the last change."""


class Catalog:
    """Reads only; any thread."""

    def __init__(self, settings: Settings, prices: PriceTable, state: SharedState) -> None:
        self._settings = settings
        self.prices = prices
        self._state = state

    def models(self) -> list[ModelRow]:
        """The names that clients use, in the order of the configuration."""
        return [
            ModelRow(name, str(model.policy), tuple(self._step(one) for one in model.chain))
            for name, model in self._settings.models.items()
        ]

    def apis(self) -> dict[str, Api]:
        """[apis.NAME]; secrets are not in it."""
        return dict(self._settings.apis)

    def workers(self) -> list[WorkerRow]:
        now = time.monotonic()
        found = []
        for slot in range(self._state.slots):
            pid, _, beat = self._state.arena.slot_info(slot)
            if not pid:
                continue
            count = self._state.counters.get
            found.append(
                WorkerRow(
                    slot,
                    "worker" if slot else "control",
                    pid,
                    max(0.0, age(pid) or 0.0),
                    resident(pid),
                    max(0.0, now - beat / 1000),
                    count(slot, Column.REQUESTS),
                    gauge(count(slot, Column.IN_FLIGHT)),
                    gauge(count(slot, Column.STREAMS_OPEN)),
                )
            )
        return found

    def scaling(self) -> Scaling:
        def read(gauge: Gauge) -> int | None:
            return self._state.machine.get(ARBITER, gauge) or None

        why = self._state.machine.get(ARBITER, Gauge.SCALED_FOR) or 0
        known = {one.value: one.name.lower() for one in Why}
        return Scaling(
            read(Gauge.WORKERS),
            read(Gauge.WORKERS_MIN),
            read(Gauge.WORKERS_MAX),
            known.get(why, str(why)),
            read(Gauge.SCALED_AT),
        )

    def _step(self, text: str) -> Step:
        upstream, model = parse_target(text)
        section = self._settings.upstreams.get(upstream)
        kind = section.kind if section is not None else ""
        return Step(upstream, kind, model, self.prices.find(kind, model))
