"""Breakers by name: opening, probing, closing, and what the board shows."""

from __future__ import annotations

import time

import pytest

from pihub.settings.schema import Breaker
from pihub.shared.health import (
    HealthBoard,
    RateLimit,
    UpstreamHealth,
    clear_row,
    configure_breaker,
    upstream_rows,
)
from pihub.shared.metrics import MAX_UPSTREAMS
from pihub.shared.state import Plan, SharedState


@pytest.fixture
def state() -> SharedState:
    return SharedState.create(Plan(workers=2, cache_bytes=1 << 20))


def test_a_breaker_s_life_is_shared_by_workers(state: SharedState) -> None:
    configure_breaker(state, 1, Breaker(failures=2, window=10.0, open=0.05))
    one, two = UpstreamHealth(state, 1, 1), UpstreamHealth(state, 1, 2)
    board = HealthBoard(state, {"up": 1})
    assert one.allow() and one.retry_in() == 0
    one.called()
    one.record(False)
    two.called()
    two.record(False, timeout=True)
    assert not one.allow() and not two.allow()
    assert 0 < one.retry_in() <= 0.05
    seen = board.snapshot()["up"]
    assert (seen["state"], seen["calls"], seen["failures"], seen["timeouts"]) == ("open", 2, 2, 1)
    end = time.monotonic() + 5
    while one.retry_in():
        assert time.monotonic() < end
    assert board.snapshot()["up"]["state"] == "half-open"
    configure_breaker(state, 1, Breaker(failures=2, window=10.0, open=60.0))
    assert two.allow()
    assert not one.allow(), "one probe at a time"
    two.record(True)
    assert one.allow() and board.snapshot()["up"]["state"] == "closed"


def test_times_below_a_millisecond(state: SharedState) -> None:
    configure_breaker(state, 0, Breaker(failures=1, window=0.0001, open=0.0001))
    assert UpstreamHealth(state, 0, 1).allow()


def test_rows_are_bounded() -> None:
    names = [f"u{n}" for n in range(MAX_UPSTREAMS)]
    assert upstream_rows(names)["u3"] == 3
    with pytest.raises(ValueError, match="at most"):
        upstream_rows([*names, "one more"])


def test_a_limit_says_how_long(state: SharedState) -> None:
    limit = RateLimit(state, 4)
    assert [limit.hit() for _ in range(3)] == [0, 0, 0], "never configured: admits all"
    state.api_limits.configure(4, 10**9, 1)
    assert limit.hit() == 0
    assert 0 < limit.hit() <= 1


def test_a_reload_keeps_the_rows_of_names_that_stay() -> None:
    before = upstream_rows(["ollama", "claude", "hubspot"])
    after = upstream_rows(["new", "hubspot", "claude"], before)
    assert after == {"new": 3, "hubspot": 2, "claude": 1}
    full = upstream_rows([f"u{n}" for n in range(MAX_UPSTREAMS)])
    assert upstream_rows(["x", *list(full)[1:]], full)["x"] == 0, "an old row when none is new"


def test_a_row_that_gets_another_name_starts_anew(state: SharedState) -> None:
    rows = upstream_rows(["a"])
    configure_breaker(state, 0, Breaker(failures=1))
    health, board = UpstreamHealth(state, 0, 1), HealthBoard(state, rows)
    health.called()
    health.record(False, error="upstream_timeout", status=504)
    board.hold("a", "open", 60)
    error = board.error("a")
    assert error is not None
    assert (error.code, error.status) == ("upstream_timeout", 504)
    assert board.held("a") is not None
    assert health.held()
    clear_row(state, 0)
    assert board.error("a") is None
    assert board.held("a") is None
    assert board.snapshot()["a"]["state"] == "closed"
    assert board.snapshot()["a"]["calls"] == 0
