"""The control process's look at local models, before the simulated Ollama."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pihub.demo.harness import Demo
from pihub.domain.predict import Figures
from pihub.domain.target import Target
from pihub.ops.local_models import (
    LocalWatch,
    Ollama,
    Running,
    available,
    context_of,
    running_models,
)
from pihub.ops.warm import Hours
from pihub.shared.routing import (
    STALE,
    Cell,
    LocalModel,
    LocalState,
    Speeds,
    load_left,
    now_ms,
)
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


def unload(upstreams: Demo) -> None:
    """An instant machine without the second model."""
    upstreams.machine(load_mb=0.0)
    Ollama(upstreams.ollama).post("/api/generate", {"model": COLD.model, "keep_alive": 0})


def watch(
    state: SharedState, url: str, path: Path, *, free: int = 1000, **more: Any
) -> LocalWatch:
    return LocalWatch(
        {"pi": Ollama(url)},
        (LOADED, COLD),
        Speeds(state),
        LocalState(state),
        path / "speeds.json",
        lambda name: free,
        **more,
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
    assert one._loads.ended.wait(5)
    calls = upstreams.log("ollama")
    assert [call["path"] for call in calls] == ["/api/generate"]
    one.look()
    seen = LocalState(state).model(COLD)
    assert seen is not None and seen.loaded


def test_a_load_takes_its_time_and_is_learnt(
    state: SharedState, upstreams: Demo, tmp_path: Path
) -> None:
    unload(upstreams)
    upstreams.machine(load_mb=1500.0)  # about a third of a second
    one, speeds = watch(state, upstreams.ollama, tmp_path), Speeds(state)
    one.load_wanted()
    speeds.learn(COLD, Cell.WANTED, 1.0)
    assert one.load_wanted() is True
    one.look()
    seen = LocalState(state).model(COLD)
    assert seen is not None and not seen.loaded, "Ollama lists it, but it is being loaded"
    assert 0 <= now_ms() - seen.began < 300
    figures = Figures(load=0.35)
    assert 0 < load_left(seen, figures) < 350
    assert one._loads.ended.wait(5)
    one.look()
    seen = LocalState(state).model(COLD)
    assert seen is not None and seen.loaded and load_left(seen, figures) == 0
    assert speeds.read(COLD, Cell.LOAD) == (pytest.approx(0.35, abs=0.15), 1)


def test_a_load_that_fails_is_told(state: SharedState, upstreams: Demo, tmp_path: Path) -> None:
    unload(upstreams)
    upstreams.machine(memory_mb=100.0)
    one = watch(state, upstreams.ollama, tmp_path)
    one.load_wanted()
    Speeds(state).learn(COLD, Cell.WANTED, 1.0)
    one.load_wanted()
    assert one._loads.ended.wait(5)
    one.look()
    seen = LocalState(state).model(COLD)
    assert seen is not None and not seen.loaded and seen.failed


def test_what_the_hub_sees_grows_old(state: SharedState, monkeypatch: pytest.MonkeyPatch) -> None:
    models = LocalState(state)
    models.publish({LOADED.name: LocalModel(loaded=True)}, {})
    assert models.model(LOADED) is not None
    monkeypatch.setattr("pihub.shared.routing.now_ms", lambda: now_ms() + STALE + 1)
    assert models.model(LOADED) is None, "nobody has looked for half a minute"


# ---- warm ---------------------------------------------------------------------------


class Clock:
    """Days of one's own."""

    def __init__(self, hour: int) -> None:
        day = time.localtime()
        self.now = time.mktime((day.tm_year, 6, 15, hour, 0, 30, 0, 0, -1))

    def __call__(self) -> float:
        return self.now


def busy_at(hour: int, uses: int, days: int, name: str) -> tuple[Hours, Clock]:
    clock = Clock(hour)
    hours = Hours(clock)
    total = 0
    hours.count({name: 0})
    for _ in range(days):
        total += uses
        hours.count({name: total})
        clock.now += 86400
    return hours, clock


def test_the_hours_of_the_day_are_learnt() -> None:
    hours, clock = busy_at(8, 10, 7, "m")
    assert hours.expected("m") == pytest.approx(10 * (1 - 0.7**7), abs=0.1)
    clock.now -= 600
    assert hours.expected("m") > 9, "ten minutes before eight it is expected"
    clock.now -= 3600
    assert hours.expected("m") == 0
    assert hours.expected("other") == 0
    again = Hours(clock)
    again.load(hours.dump())
    clock.now += 4200
    assert again.expected("m") == pytest.approx(hours.expected("m"), abs=0.01)
    again.load({"x": [1], "y": 5})
    again.load([1])
    clock.now += 40 * 86400
    assert hours.expected("m") < 10
    hours.count({"m": 70})
    assert hours.expected("m") < 8, "a silent day counts, though forty are counted as one"


def test_what_will_be_asked_for_is_loaded_and_kept(
    state: SharedState, upstreams: Demo, tmp_path: Path
) -> None:
    unload(upstreams)
    upstreams.machine(keep=300.0)
    hours, clock = busy_at(8, 10, 7, COLD.name)
    one = watch(state, upstreams.ollama, tmp_path, warm=4.0, hours=hours, free=1 << 30)
    clock.now -= 3600
    one.look()
    one.warm()
    assert COLD.model not in one._running["pi"], "not in its hour"
    clock.now += 3600
    one.warm()
    assert one._loads.ended.wait(5)
    one.look()
    assert one._running["pi"][COLD.model].left > 3000
    upstreams.clear_log("ollama")
    one.warm()
    assert not any(c["path"] == "/api/generate" for c in upstreams.log("ollama")), "it is kept"


def test_nothing_is_evicted_for_a_guess(
    state: SharedState, upstreams: Demo, tmp_path: Path
) -> None:
    unload(upstreams)
    hours, _ = busy_at(8, 10, 7, COLD.name)
    one = watch(state, upstreams.ollama, tmp_path, warm=4.0, hours=hours, free=1 << 20)
    one.look()
    one.warm()
    assert not one._loads.began(COLD.name) and not one._loads.ended.is_set()


def test_what_is_installed_is_told(state: SharedState, upstreams: Demo, tmp_path: Path) -> None:
    watch(state, upstreams.ollama, tmp_path).look()
    card = LocalState(state).card(COLD)
    assert card["size"] == 522653767
    assert card["details"]["parameter_size"] == "751.63M"
    assert LocalState(state).card(Target("pi", "ollama", "none")) == {}


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
        "a:latest": Running(), "a": Running(),
    }  # fmt: skip
    soon = datetime.fromtimestamp(time.time() + 60, UTC).isoformat()
    entry = {"name": "b", "expires_at": soon, "context_length": 8, "size": 9}
    assert running_models({"models": [entry]})["b"].left == pytest.approx(60, abs=5)
    assert context_of({}) == (0, 0)
    assert context_of({"model_info": {"general.architecture": "x", "x.context_length": "9"}}) == (
        0, 0,
    )  # fmt: skip


def test_memory(tmp_path: Path) -> None:
    path = tmp_path / "meminfo"
    path.write_text("MemTotal: 4000000 kB\nMemAvailable: 1000000 kB\n")
    assert available(path) == 1_000_000 * 1024 - (256 << 20)
    assert available(tmp_path / "none") == 0
