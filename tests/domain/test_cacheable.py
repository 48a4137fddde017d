"""What clients may say about the cache, and what may be kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.domain.cacheable import MAX_TTL, CacheWish, parse_wish, why_not_kept, why_not_looked_up
from pihub.domain.chat import Answer, Block, RedactedThinking, StopReason, Text, Thinking, ToolUse
from pihub.errors import BadRequest


@pytest.mark.parametrize(
    ("said", "wish"),
    [
        (None, CacheWish()),
        ("", CacheWish()),
        (" Auto ", CacheWish()),
        ("OFF", CacheWish("off")),
        ("only", CacheWish("only")),
        ("ttl=1", CacheWish("ttl", 1.0)),
        ("ttl=2592000", CacheWish("ttl", MAX_TTL)),
        ("ttl=0000060", CacheWish("ttl", 60.0)),
    ],
)
def test_the_four_forms(said: str | None, wish: CacheWish) -> None:
    assert parse_wish(said) == wish


@given(st.text(max_size=20) | st.text("0123456789²٣", max_size=5000).map("ttl=".__add__))
def test_anything_else_is_a_bad_request_and_nothing_worse(said: str) -> None:
    try:
        wish = parse_wish(said)
    except BadRequest as error:
        assert error.param == "x-pihub-cache"
    else:
        assert wish.mode != "ttl" or 0 < wish.ttl <= MAX_TTL


@pytest.mark.parametrize("said", ["ttl=0", "ttl=2592001", "ttl=²", "ttl=" + "1" * 5000, "ttl=+5"])
def test_times_out_of_bounds(said: str) -> None:
    with pytest.raises(BadRequest):
        parse_wish(said)


@pytest.mark.parametrize(
    ("temperature", "mode", "reason"),
    [
        (None, "auto", "temperature-unset"),
        (0.0, "auto", ""),
        (0.5, "auto", "temperature"),
        (0.0, "off", "asked"),
        (None, "only", ""),
        (1.0, "ttl", ""),
    ],
)
def test_why_not_looked_up(temperature: float | None, mode: str, reason: str) -> None:
    assert why_not_looked_up(temperature, CacheWish(mode), 0.0) == reason  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("blocks", "stop", "reason"),
    [
        ((Text("a"),), StopReason.END_TURN, ""),
        ((ToolUse("1", "f"),), StopReason.TOOL_USE, ""),
        ((Text(""), Text("a")), StopReason.MAX_TOKENS, ""),
        ((), StopReason.END_TURN, "empty"),
        ((Text(""),), StopReason.END_TURN, "empty"),
        ((Thinking("long"), RedactedThinking("x")), StopReason.MAX_TOKENS, "empty"),
        ((Text("no"),), StopReason.REFUSAL, "refusal"),
        ((Text("a"),), StopReason.PAUSE_TURN, "pause_turn"),
    ],
)
def test_why_not_kept(blocks: tuple[Block, ...], stop: StopReason, reason: str) -> None:
    assert why_not_kept(Answer(id="1", model="m", blocks=blocks, stop_reason=stop)) == reason
