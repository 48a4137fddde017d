"""Short ways to say: this client body, through the canonical form, to that upstream."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pihub.domain.chat import Answer, Ask
from pihub.domain.collect import collect
from pihub.domain.ports import StreamParser
from pihub.domain.stream import Event
from pihub.protocols.registry import CLIENTS, UPSTREAMS

PROTOCOLS = ("openai", "anthropic", "ollama")
MODELS = {"openai": "gpt-x", "anthropic": "claude-sonnet-4-5", "ollama": "llama3.2"}
CLAUDE_OLD = "claude-3-5-sonnet-20241022"
CLAUDE_45 = "claude-sonnet-4-5"
CLAUDE_48 = "claude-opus-4-8"

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
    "AABJRU5ErkJggg=="
)


def parse(client: str, body: dict[str, Any] | bytes) -> Ask:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CLIENTS[client]().parse(data)


def request(upstream: str, ask: Ask, model: str = "", *, stream: bool = False) -> dict[str, Any]:
    _, _, body = UPSTREAMS[upstream]().request(ask, model or MODELS[upstream], stream=stream)
    decoded: dict[str, Any] = json.loads(body)
    return decoded


def carry(
    client: str, upstream: str, body: dict[str, Any] | bytes, model: str = ""
) -> dict[str, Any]:
    return request(upstream, parse(client, body), model)


def notes(client: str, upstream: str, body: dict[str, Any], model: str = "") -> tuple[str, ...]:
    ask = parse(client, body)
    return UPSTREAMS[upstream]().notes(ask, model or MODELS[upstream])


def rendered(client: str, answer: Answer, ask: Ask) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(CLIENTS[client]().render(answer, ask))
    return decoded


def events_of(parser: StreamParser, data: bytes, cuts: Iterable[int] = ()) -> list[Event]:
    """All events of a stream that arrives cut at the given offsets."""
    events: list[Event] = []
    last = 0
    for cut in [*sorted(set(cuts)), len(data)]:
        for piece in parser.feed(data[last:cut]):
            events += piece.events
        last = cut
    for piece in parser.eof():
        events += piece.events
    return events


def stream_answer(upstream: str, data: bytes, cuts: Iterable[int] = ()) -> Answer:
    return collect(events_of(UPSTREAMS[upstream]().parser(), data, cuts))


def written(client: str, events: Iterable[Event], ask: Ask) -> bytes:
    renderer = CLIENTS[client]().renderer(ask)
    return b"".join(renderer.feed(event) for event in events)


def sse(data: bytes) -> list[tuple[str, Any]]:
    """A rendered event stream as (event name, decoded data); comments left out."""
    found = []
    for block in data.decode().split("\n\n"):
        name = ""
        text: list[str] = []
        for line in block.split("\n"):
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                text.append(line[6:])
        if text:
            joined = "\n".join(text)
            found.append((name, joined if joined == "[DONE]" else json.loads(joined)))
    return found


def ndjson(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.decode().splitlines()]


def chat(client: str, *messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A minimal body of a client protocol."""
    body: dict[str, Any] = {"model": "assistant", "messages": list(messages)}
    if client == "anthropic":
        body["max_tokens"] = 100
    body.update(fields)
    return body


def user(content: Any = "hi") -> dict[str, Any]:
    return {"role": "user", "content": content}


def function_call(id_: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


WEATHER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"$ref": "#/$defs/City"}, "days": {"enum": [1, 2.50, 3]}},
    "required": ["city"],
    "additionalProperties": False,
    "$defs": {"City": {"type": "string", "minLength": 1}},
}


def weather_tool(client: str) -> dict[str, Any]:
    if client == "anthropic":
        return {"name": "weather", "description": "Forecast", "input_schema": WEATHER_SCHEMA}
    return {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Forecast",
            "parameters": WEATHER_SCHEMA,
        },
    }


ASKS_BY_CLIENT = {name: parse(name, chat(name, user(), stream=True)) for name in PROTOCOLS}
