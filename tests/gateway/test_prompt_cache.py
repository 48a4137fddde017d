"""Marks for Anthropic's prompt cache: only where they pay, never more than there may be."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pihub.demo.claude_prompts import PromptCache as Vendor
from pihub.demo.claude_prompts import count_marks
from pihub.domain.target import Target
from pihub.gateway.outgoing import Outgoing
from pihub.gateway.promptcache import SAMPLES, PromptCache
from pihub.protocols.anthropic.caching import least_tokens, mark, parts
from pihub.shared.answers import ByteCache
from pihub.shared.routing import Cell, Speeds
from tests.gateway.parts import Bench, anthropic_whole

Make = Callable[..., Bench]
LONG = "some words of a long prompt " * 700


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("claude-haiku-4-5", 4096), ("claude-3-5-haiku-20241022", 2048),
        ("claude-sonnet-4-5-20250929", 1024), ("claude-opus-4-1", 1024),
        ("claude-opus-4-5", 4096), ("claude-sonnet-4-6", 2048), ("other", 4096),
    ],
)  # fmt: skip
def test_the_shortest_prompt(model: str, tokens: int) -> None:
    assert least_tokens(model) == tokens


@pytest.mark.parametrize(
    "more",
    [
        {"system": LONG}, {"system": [{"type": "text", "text": LONG}]},
        {"tools": [{"name": "f", "input_schema": {}}, {"name": "g", "description": "}] "}]},
        {"system": "a \\\" b", "tools": [{"name": "f"}]},
    ],
    ids=["string", "blocks", "tools", "both"],
)  # fmt: skip
def test_all_other_bytes_stay(more: dict[str, Any]) -> None:
    content = [{"type": "text", "text": "x"}, {"type": "text", "text": "last"}]
    body = {"model": "m", "messages": [{"role": "user", "content": content}], "n": 1e3, **more}
    data = json.dumps(body, indent=1).encode()
    found = parts(data)
    assert found is not None
    marked = json.loads(mark(data, found, prefix=True, messages=True))
    assert count_marks(marked) == 2
    last = marked["messages"][-1]["content"][-1]
    assert last.pop("cache_control") == {"type": "ephemeral"}
    name = "system" if "system" in more else "tools"
    assert marked[name][-1].pop("cache_control")
    if isinstance(body.get("system"), str):
        body["system"] = [{"type": "text", "text": body["system"]}]
    assert marked == body


@pytest.mark.parametrize(
    "content",
    ["", " ", [], [{"type": "text", "text": ""}], [{"type": "thinking", "thinking": "a"}]],
    ids=str,
)
def test_what_takes_no_mark_gets_none(content: Any) -> None:
    data = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
    found = parts(data)
    assert found is not None and mark(data, found, prefix=True, messages=True) == data


def test_a_client_s_own_marks_are_left_alone() -> None:
    block = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
    assert parts(json.dumps({"messages": [{"role": "user", "content": [block]}]}).encode()) is None


def marking(make: Make) -> tuple[Bench, PromptCache]:
    bench = make(chat=("an",))
    cache = ByteCache(bench.state.cache, bench.state.arena.secret, 7)
    made = PromptCache(cache, Speeds(bench.state), bench.state, bench.slot)
    bench.call._request = Outgoing(None, made).__call__
    return bench, made


def sent(bench: Bench) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bench.connector.calls[-1][3])
    return found


@pytest.mark.parametrize("client", ["openai", "anthropic"])
def test_marked_when_it_comes_again(make: Make, client: str) -> None:
    bench, _ = marking(make)
    bench.says("an", lambda: anthropic_whole("hi"))

    def ask(text: str, **more: Any) -> int:
        system = {"role": "system", "content": LONG}
        messages: list[Any] = [{"role": "user", "content": text}]
        if client == "openai":
            messages.insert(0, system)
            body: dict[str, Any] = {"model": "chat", "messages": messages, "max_tokens": 9}
        else:
            body = {"model": "chat", "system": LONG, "messages": messages, "max_tokens": 9}
        assert bench.whole(client, body=body, **more)[0].status == 200
        return count_marks(sent(bench))

    assert ask("first") == 0, "nothing says that it comes again"
    assert ask("second") == 1
    assert ask("other tenant", tenant=2) == 0
    assert ask("third") == 1


def test_a_conversation_is_marked_at_its_end(make: Make) -> None:
    bench, _ = marking(make)
    bench.says("an", lambda: anthropic_whole("hi"))
    turns = [{"role": "user", "content": LONG}, {"role": "assistant", "content": "a"},
             {"role": "user", "content": "and then?"}]  # fmt: skip
    body = {"model": "chat", "messages": turns, "max_tokens": 9}
    assert bench.whole("anthropic", body=body)[0].status == 200
    assert sent(bench)["messages"][-1]["content"][0]["cache_control"] == {"type": "ephemeral"}
    vendor = Vendor()
    assert vendor.take("claude", sent(bench))[0] == 0
    turns += [{"role": "assistant", "content": "b"}, {"role": "user", "content": "more?"}]
    bench.whole("anthropic", body=body)
    read, written = vendor.take("claude", sent(bench))
    assert read > 3000 and written < 20, "the next turn reads what this one wrote"


def test_no_marks_where_writes_outweigh_reads(make: Make) -> None:
    bench, made = marking(make)
    target = Target("an", "anthropic", "claude")
    assert not made._loses(target)
    speeds = Speeds(bench.state)
    for _ in range(SAMPLES):
        speeds.learn(target, Cell.CACHE_WRITTEN, 0.9)
        speeds.learn(target, Cell.CACHE_READ, 0.1)
    assert made._loses(target)
    for _ in range(40):  # what is no longer marked is neither written nor read
        speeds.learn(target, Cell.CACHE_WRITTEN, 0.0)
        speeds.learn(target, Cell.CACHE_READ, 0.9)
    assert not made._loses(target)
