"""What keeps a local model's prompt cache: no nonces, one order of tools; how often it helped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pihub.insight.metrics import render
from pihub.shared.health import HealthBoard
from pihub.shared.routing import Cell
from tests.gateway.parts import anthropic_whole, header, ollama_chunks, ollama_stream
from tests.gateway.routed import RoutedBench, ollama_says

BILLING = "x-anthropic-billing-header: cc_version=2; cch={};"
TOOLS = [
    {"name": name, "description": f"does {name}", "input_schema": {"type": "object"}}
    for name in ("write", "read", "grep")
]


def claude_code(nonce: str, tools: list[dict[str, Any]] = TOOLS, **more: Any) -> dict[str, Any]:
    return {
        "model": "chat",
        "max_tokens": 50,
        "system": [
            {"type": "text", "text": BILLING.format(nonce)},
            {"type": "text", "text": "Be brief."},
        ],
        "messages": [{"role": "user", "content": "hello"}],
        "tools": tools,
        **more,
    }


def sent(bench: RoutedBench) -> bytes:
    body: bytes = bench.connector.calls[-1][3]
    return body


def test_two_nonces_are_one_prompt_to_a_local_model_and_one_key() -> None:
    bench = RoutedBench(chat=["ol"])
    bench.says("ol", lambda: ollama_stream(*ollama_chunks("yes")))
    assert bench.whole("anthropic", body=claude_code("a1b2c"))[0].status == 200
    first = sent(bench)
    assert bench.whole("anthropic", body=claude_code("d3e4f"))[0].status == 200
    assert sent(bench) == first and b"billing" not in first
    kept = claude_code("a1b2c", temperature=0)
    assert bench.whole("anthropic", body=kept)[0].status == 200
    calls = len(bench.connector.calls)
    again, _ = bench.whole("anthropic", body=claude_code("d3e4f", temperature=0))
    assert header(again, "x-pihub-cache").startswith("HIT")
    assert len(bench.connector.calls) == calls


def test_anthropic_gets_each_byte_as_it_was() -> None:
    bench = RoutedBench(chat=["an"])
    bench.says("an", lambda: anthropic_whole("yes"))
    body = claude_code("a1b2c")
    assert bench.whole("anthropic", body=body)[0].status == 200
    name = bench.target("an").model
    assert sent(bench) == json.dumps(body).encode().replace(b'"chat"', f'"{name}"'.encode())


@pytest.mark.parametrize("order", [TOOLS, TOOLS[::-1]], ids=["one", "another"])
def test_a_local_model_gets_tools_by_name(order: list[dict[str, Any]]) -> None:
    bench = RoutedBench(chat=["ol"])
    bench.says("ol", lambda: ollama_stream(*ollama_chunks("yes")))
    assert bench.whole("anthropic", body=claude_code("x", order))[0].status == 200
    tools = json.loads(sent(bench))["tools"]
    assert [tool["function"]["name"] for tool in tools] == ["grep", "read", "write"]


def test_what_was_not_read_again_is_told() -> None:
    bench = RoutedBench(chat=["ol"])

    def ask(prompt: int, per_token_ns: int) -> None:
        said = ollama_says(prompt=prompt)
        taught = b'"prompt_eval_duration": %d'
        said.chunks = [
            chunk.replace(taught % (prompt * 1_000_000), taught % (prompt * per_token_ns))
            for chunk in said.chunks
            if isinstance(chunk, bytes)
        ]
        bench.says("ol", said)
        assert bench.whole(model="chat", temperature=1)[0].status == 200

    target = bench.target("ol")
    for _ in range(3):
        ask(1000, 1_000_000)  # 1,000 tokens a second
    assert bench.speeds.read(target, Cell.REUSE)[0] == 0.0
    ask(1000, 250_000)  # four times as fast: three quarters were known
    share, samples = bench.speeds.read(target, Cell.REUSE)
    assert samples == 2 and 0 < share <= 0.75
    assert bench.speeds.read(target, Cell.PREFILL)[0] == pytest.approx(1000), "it taught no rate"
    board = HealthBoard(bench.state, bench.rows)
    text = render(bench.state, board, [target]).decode()
    assert f'pihub_model_prefix_reuse_ratio{{target="{target.name}"}} {share}' in text
