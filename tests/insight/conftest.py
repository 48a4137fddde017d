"""A real arena and a real database for every test of this folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pihub.insight.recorder import Recorder
from pihub.shared.state import Plan, SharedState
from pihub.store.metrics import MetricsStore


@pytest.fixture
def state() -> Iterator[SharedState]:
    found = SharedState.create(Plan(workers=2, cache_bytes=1 << 22))
    yield found
    for fd in found.eventfds:
        os.close(fd)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MetricsStore]:
    found = MetricsStore(tmp_path / "pihub.db")
    yield found
    found.close()


@pytest.fixture
def again(state: SharedState, store: MetricsStore) -> Callable[..., Recorder]:
    """Makes a recorder as a new control process does; of `state`, or of another arena."""

    def make(of: SharedState = state, **more: Any) -> Recorder:
        wanted = {"flush": 0.05, "retention_days": 30} | more
        return Recorder(of.events, of.arena.boot_id, of.names, store, of.counters, **wanted)

    return make


@pytest.fixture
def recorder(again: Callable[..., Recorder]) -> Recorder:
    return again()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Poll until something holds, at most 10 s."""

    def wait(holds: Callable[[], object]) -> None:
        end = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < end, "it never came true"
            time.sleep(0.005)

    return wait
