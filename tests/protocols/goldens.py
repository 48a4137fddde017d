"""Streams as the vendors' documentation shows them, and what they mean.

Sources: Anthropic, "Streaming messages" (basic, tool use, extended thinking); OpenAI API
reference, "The chat completion chunk object", "Function calling: streaming" and
"Completions: streaming"; Ollama API documentation, "Generate a chat completion" (streaming,
tools) and "Generate a completion". The last two endpoints share their parsers with the chats'.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pihub.domain.chat import Block, StopReason, Text, Thinking, ToolUse, Usage


class Golden(NamedTuple):
    protocol: str
    raw: bytes
    blocks: tuple[Block, ...]
    stop: StopReason
    usage: Usage | None


STREAMS = Path(__file__).parent / "streams"


def stream(name: str) -> bytes:
    """The bytes of a documented stream."""
    (path,) = STREAMS.glob(name + ".*")
    return path.read_bytes()


ANTHROPIC_TEXT = stream("anthropic-text")
OPENAI_TEXT = stream("openai-text")
OLLAMA_TEXT = stream("ollama-text")

GOLDENS = {
    "completions-text": Golden(
        "openai",
        stream("completions-text"),
        (Text("This is a test"),),
        StopReason.MAX_TOKENS,
        None,
    ),
    "generate-text": Golden(
        "ollama",
        stream("generate-text"),
        (Text("The sky"),),
        StopReason.END_TURN,
        Usage(input=26, output=259),
    ),
    "anthropic-text": Golden(
        "anthropic",
        ANTHROPIC_TEXT,
        (Text("Hello!"),),
        StopReason.END_TURN,
        Usage(input=25, output=15),
    ),
    "anthropic-tool": Golden(
        "anthropic",
        stream("anthropic-tool"),
        (
            Text("Okay, let's check the weather:"),
            ToolUse(
                "toolu_01T1x1fJ34qAmk2tNTrN7Up6", "get_weather", '{"location": "San Francisco, CA"}'
            ),
        ),
        StopReason.TOOL_USE,
        Usage(input=472, output=89),
    ),
    "anthropic-thinking": Golden(
        "anthropic",
        stream("anthropic-thinking"),
        (
            Thinking(
                "Let me solve this step by step:\n\n1. First break down 27 * 453"
                "\n2. 453 = 400 + 50 + 3",
                "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds",
            ),
            Text("27 * 453 = 12,231"),
        ),
        StopReason.END_TURN,
        None,
    ),
    "openai-text": Golden(
        "openai",
        OPENAI_TEXT,
        (Text("Hello"),),
        StopReason.END_TURN,
        Usage(input=15, output=10, cache_read=4, reasoning=2),
    ),
    "openai-tool": Golden(
        "openai",
        stream("openai-tool"),
        (ToolUse("call_DdmO9pD3xa9XTPNJ32zg2hcA", "get_weather", '{"location":"Paris, France"}'),),
        StopReason.TOOL_USE,
        None,
    ),
    "ollama-text": Golden(
        "ollama",
        OLLAMA_TEXT,
        (Text("The sky"),),
        StopReason.END_TURN,
        Usage(input=26, output=282),
    ),
    "ollama-tool": Golden(
        "ollama",
        stream("ollama-tool"),
        (
            Thinking("The user asks for weather."),
            ToolUse("call_1", "get_current_weather", '{"format": "celsius", "n": 1.50}'),
        ),
        StopReason.TOOL_USE,
        Usage(input=169, output=15),
    ),
}
