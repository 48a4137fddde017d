"""The whole program: a real hub process in front of the simulated upstreams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.hub import HubProcess, Upstreams


@pytest.fixture(scope="session")
def upstreams() -> Iterator[Upstreams]:
    """One process with a simulated Ollama, Claude and OpenAI-compatible server."""
    with Upstreams() as running:
        yield running


@pytest.fixture(scope="session", params=["meinheld", "gthread"])
def engine(request: pytest.FixtureRequest) -> str:
    """Every test of the whole program runs under both engines."""
    return str(request.param)


@pytest.fixture(scope="session")
def hub(
    engine: str, upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    """A hub with two workers; shared by all tests that do not stop it."""
    folder: Path = tmp_path_factory.mktemp(f"hub-{engine}")
    with HubProcess(folder, upstreams, engine=engine) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "upstreams" in request.fixturenames:
        request.getfixturevalue("upstreams").clear()
