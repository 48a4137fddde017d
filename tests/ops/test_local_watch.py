"""The control process's look at local models, before the simulated Ollama."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pihub.demo.harness import Demo
from pihub.domain.target import Target
from pihub.ops.local_models import LocalWatch, Ollama, available, context_of, running_models
from pihub.shared.routing import Cell, LocalModel, LocalState, Speeds
from pihub.shared.state import Plan, SharedState

LOADED = Target("pi", "ollama", "llama3.2:3b")
COLD = Target("pi", "ollama", "qwen3:0.6b")


@pytest.fixture(scope="module")
def upstreams() -> Iterator[Demo]:
    with Demo() as found:
        yield found


@pytest.fixture
def state() -> SharedState:
    return SharedState.create(Plan(workers=1, cache_bytes=1 << 20))


def watch(state: SharedState, url: str, path: Path) -> LocalWatch:
    return LocalWatch(
        {"pi": Ollama(url)},
        (LOADED, COLD),
        Speeds(state),
        LocalState(state),
        path / "speeds.json",
        lambda name: 1000,
    )


def test_what_is_loaded_and_what_a_token_takes(
    state: SharedState, upstreams: Demo, tmp_path: Path
) -> None:
    watch(state, upstreams.ollama, tmp_path).look()
    seen = LocalState(state)
    loaded, cold = seen.model(LOADED), seen.model(COLD)
    assert loaded is not None and cold is not None
    assert (loaded.loaded, loaded.context, loaded.most) == (True, 4096, 131072)
    assert loaded.cache_bytes == 28 * 8 * (128 + 128) * 2
    assert cold.loaded is False and cold.most == 131072
    assert seen.free("pi") == 1000
    assert seen.loaded("pi") == ["pi/llama3.2:3b"]


def test_an_ollama_that_is_down_has_nothing_loaded(state: SharedState, tmp_path: Path) -> None:
    watch(state, "http://127.0.0.1:9", tmp_path).look()
    assert LocalState(state).model(LOADED) == LocalModel()


def test_what_requests_wait_for_is_loaded_once(
    state: SharedState, upstreams: Demo, tmp_path: Path
) -> None:
    one = watch(state, upstreams.ollama, tmp_path)
    upstreams.clear_log("ollama")
    assert one.load_wanted() is False
    for _ in range(3):
        Speeds(state).learn(COLD, Cell.WANTED, 1.0)
    assert one.load_wanted() is True
    assert one.load_wanted() is False
    calls = upstreams.log("ollama")
    assert [call["path"] for call in calls] == ["/api/generate"]


def test_what_was_learnt_comes_back(state: SharedState, tmp_path: Path) -> None:
    speeds = Speeds(state)
    speeds.put(LOADED, Cell.DECODE, 9.5, 40)
    watch(state, "http://127.0.0.1:9", tmp_path).save()
    fresh = SharedState.create(Plan(workers=1, cache_bytes=1 << 20))
    Speeds(fresh).put(COLD, Cell.DECODE, 3.0, 1)
    watch(fresh, "http://127.0.0.1:9", tmp_path).restore()
    assert Speeds(fresh).read(LOADED, Cell.DECODE) == (9.5, 40)
    assert Speeds(fresh).read(COLD, Cell.DECODE) == (3.0, 1)
    (tmp_path / "speeds.json").write_text("[1]")
    watch(fresh, "http://127.0.0.1:9", tmp_path).restore()


def test_answers_of_other_shapes_are_no_surprise() -> None:
    assert running_models({}) == {}
    assert running_models({"models": [1, {"name": "a:latest"}]}) == {
        "a:latest": (0, 0), "a": (0, 0),
    }  # fmt: skip
    assert context_of({}) == (0, 0)
    assert context_of({"model_info": {"general.architecture": "x", "x.context_length": "9"}}) == (
        0, 0,
    )  # fmt: skip


def test_memory(tmp_path: Path) -> None:
    path = tmp_path / "meminfo"
    path.write_text("MemTotal: 4000000 kB\nMemAvailable: 1000000 kB\n")
    assert available(path) == 1_000_000 * 1024 - (256 << 20)
    assert available(tmp_path / "none") == 0
