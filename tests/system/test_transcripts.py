"""Whole conversations as two well-known programs have them on the wire.

Claude Code: its documented gateway requirements (probe, `?beta=true`, count_tokens, system
blocks with a changing billing line, tools, thinking). Home Assistant: its Ollama
integration (list, streamed chat with tools, num_ctx, keep_alive, results by name).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ollama
import pytest

from tests.system.clients import apart, sse
from tests.system.hub import HubProcess, Upstreams

BILLING = "x-anthropic-billing-header: cc_version=2.1.42.abc; cc_entrypoint=cli; cch={};"
LOOKS = ("/api/ps", "/api/tags", "/api/show", "/api/version")
"""What the hub asks an Ollama of its own accord."""
BETAS = "claude-code-20250219,interleaved-thinking-2025-05-14"
TOOLS = [
    {
        "name": name,
        "description": f"{name} something",
        "input_schema": {
            "type": "object",
            "properties": {"path": {"type": "string"}},
            "required": ["path"],
            "additionalProperties": False,
        },
    }
    for name in ("Read", "Bash", "Edit")
]


@pytest.fixture(scope="module")
def plain(upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    folder: Path = tmp_path_factory.mktemp("transcripts")
    upstreams.pace(0)
    with HubProcess(folder, upstreams, workers=1) as hub:
        yield hub


class Code:
    """Claude Code's side of a conversation."""

    def __init__(self, hub: HubProcess, model: str) -> None:
        self._hub = hub
        self._model = model
        self._turn = 0
        self.messages: list[dict[str, Any]] = []

    def say(self, content: Any) -> list[Any]:
        """One turn; the events of the answer, checked in their order."""
        self._turn += 1
        self.messages.append({"role": "user", "content": content})
        body = {
            "model": self._model,
            "max_tokens": 32000,
            "messages": self.messages,
            "system": [
                {"type": "text", "text": BILLING.format(f"{self._turn:05x}")},
                {
                    "type": "text",
                    "text": "You help with programs.",
                    "cache_control": {"type": "ephemeral"},
                },
            ],
            "tools": TOOLS,
            "thinking": {"type": "enabled", "budget_tokens": 31999},
            "metadata": {"user_id": "user_0_account__session_1"},
            "stream": True,
        }
        reply = self._hub.post(
            "/v1/messages?beta=true",
            body,
            anthropic_version="2023-06-01",
            anthropic_beta=BETAS,
            x_app="cli",
            user_agent="claude-cli/2.1.42 (external, cli)",
        )
        assert reply.status == 200, reply.text
        assert reply.headers["content-type"].startswith("text/event-stream")
        events = sse(reply.body)
        kinds = [event["type"] for event in events if event["type"] != "ping"]
        assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
        assert events[0]["message"]["usage"]["input_tokens"] > 0
        self.messages.append({"role": "assistant", "content": _blocks(events)})
        return events


def _blocks(events: list[Any]) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    texts: list[str] = []
    for event in events:
        if event["type"] == "content_block_start":
            assert event["index"] == len(blocks)
            blocks.append(dict(event["content_block"]))
            texts = []
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            name = {"text_delta": "text", "thinking_delta": "thinking"}.get(delta["type"])
            if name:
                blocks[-1][name] += delta[name]
            elif delta["type"] == "signature_delta":
                blocks[-1]["signature"] = delta["signature"]
            else:
                texts.append(delta["partial_json"])
        elif event["type"] == "content_block_stop" and blocks[-1]["type"] == "tool_use":
            blocks[-1]["input"] = json.loads("".join(texts) or "{}")
    return blocks


def generated(upstreams: Upstreams, server: str) -> list[dict[str, Any]]:
    """The requests of the log that the hub's client caused."""
    return [entry for entry in upstreams.log(server) if entry["path"] not in LOOKS]


@pytest.mark.parametrize("model", ["local", "cloud", "compatible"])
def test_claude_code(plain: HubProcess, upstreams: Upstreams, model: str) -> None:
    assert plain.request("HEAD", "/", authorization="").status == 200
    upstreams.clear_log()
    code = Code(plain, model)
    code.say('read it [[tool:Read {"path": "a.txt"}]] [[tool:Bash {"path": "b"}]]')
    calls = [block for block in code.messages[-1]["content"] if block["type"] == "tool_use"]
    assert [(call["name"], call["input"]) for call in calls] == [
        ("Read", {"path": "a.txt"}),
        ("Bash", {"path": "b"}),
    ]
    assert len({call["id"] for call in calls}) == 2
    code.say(
        [
            {"type": "tool_result", "tool_use_id": call["id"], "content": "rain"}
            for call in calls
        ]
    )
    assert "rain" in code.messages[-1]["content"][-1]["text"]
    server = {"local": "ollama", "cloud": "claude", "compatible": "openai"}[model]
    first, second = (json.dumps(entry) for entry in generated(upstreams, server))
    assert ("cch=" in first) == ("cch=" in second) == (model == "cloud")
    counted = plain.post(
        "/v1/messages/count_tokens?beta=true",
        {"model": model, "messages": code.messages, "tools": TOOLS},
        anthropic_version="2023-06-01",
        anthropic_beta=BETAS,
    )
    assert counted.json["input_tokens"] > 0


@pytest.mark.parametrize("model", ["local", "cloud", "compatible"])
def test_home_assistant(plain: HubProcess, model: str) -> None:
    async def converse() -> tuple[str, str]:
        client = ollama.AsyncClient(
            host=plain.url, headers={"authorization": f"Bearer {plain.key}"}
        )
        listed = await client.list()
        assert model in [one.model for one in listed.models]
        tool = {
            "type": "function",
            "function": {
                "name": "HassTurnOn",
                "description": "Turns on a device",
                "parameters": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "area": {"type": "string"}},
                    "required": [],
                },
            },
        }
        messages: list[Any] = [
            {"role": "system", "content": "You are a voice assistant for Home Assistant."},
            {"role": "user", "content": '[[tool:HassTurnOn {"name": "lamp"}]]'},
        ]
        said = ["", ""]
        for turn in range(2):
            calls: list[Any] = []
            async for part in await client.chat(
                model=model,
                messages=messages,
                tools=[tool],
                stream=True,
                keep_alive="-1s",
                options={"num_ctx": 8192},
            ):
                said[turn] += part.message.content or ""
                calls += part.message.tool_calls or []
            messages.append({"role": "assistant", "content": said[turn], "tool_calls": calls})
            for call in calls:
                assert call.function.arguments == {"name": "lamp"}
                result = json.dumps({"success": "lamp is on"})
                messages.append({"role": "tool", "content": result, "tool_name": "HassTurnOn"})
        return said[0], said[1]

    first, second = apart(converse())
    assert not first.strip() and "lamp is on" in second
