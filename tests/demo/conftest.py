"""One running set of simulators for all tests here; each test starts without faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pihub.demo.harness import Demo


@pytest.fixture(scope="session")
def running() -> Iterator[Demo]:
    with Demo(pace=0) as demo:
        yield demo


@pytest.fixture
def demo(running: Demo) -> Demo:
    running.clear()
    running.clear_log()
    running.pace(0)
    return running
