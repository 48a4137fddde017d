"""Ollama's /api/generate: one prompt, no conversation; as a client and an upstream speak it.

Source: Ollama's API documentation, "Generate a completion". What only this endpoint can
say (suffix, raw, template, context) stands in `Ask.extra`, so that other upstreams refuse
it by name and Ollama itself gets it.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import msgspec

from pihub.domain.chat import Answer, Ask, Block, Image, Message, Text, Thinking
from pihub.domain.stream import Event, Finish, TextDelta, ThinkingDelta
from pihub.errors import BadRequest, Unsupported
from pihub.protocols.canonical import image_from_data, refuse_extra, texts
from pihub.protocols.jsontext import BodyDecoder, Int64, Scalar, encode, raw
from pihub.protocols.logprobs import plain
from pihub.protocols.ollama import parse as chat
from pihub.protocols.ollama import request
from pihub.protocols.ollama.client import OllamaClient
from pihub.protocols.ollama.response import done_reason, nano_time
from pihub.protocols.ollama.stream_out import OllamaStream
from pihub.protocols.ollama.upstream import OllamaUpstream
from pihub.protocols.ollama.wire import RAW_NONE, write_end

PATH = "/api/generate"
OWN = ("suffix", "template", "raw", "context")
"""Fields that only this endpoint has."""


class GenerateRequest(msgspec.Struct):
    model: str
    prompt: str | None = None
    system: str | None = None
    images: list[str] | None = None
    stream: bool | None = None
    format: msgspec.Raw = RAW_NONE
    options: dict[str, Scalar | list[Scalar]] | None = None
    keep_alive: str | Int64 | float | None = None
    think: bool | str | None = None
    logprobs: bool | None = None
    top_logprobs: Int64 | None = None


class ExactRequest(GenerateRequest, forbid_unknown_fields=True):
    pass


_DECODER: BodyDecoder[GenerateRequest] = BodyDecoder(ExactRequest, GenerateRequest)


def parse(body: bytes) -> Ask:
    """Raises BadRequest. An empty prompt loads or (with keep_alive 0) unloads the model."""
    wire, extra = _DECODER.decode(body)
    for name, harmless in (
        ("raw", "false"),
        ("suffix", '""'),
        ("template", '""'),
        ("context", "[]"),
    ):
        if extra.get(name) == harmless:
            del extra[name]
    if not wire.model:
        raise BadRequest("model: must not be empty", param="model")
    blocks: list[Block] = [
        image_from_data(data, "", f"images[{position}]")
        for position, data in enumerate(wire.images or ())
    ]
    if wire.prompt:
        blocks.append(Text(wire.prompt))
    return chat.ask(
        wire,
        system=(Text(wire.system),) if wire.system else (),
        messages=(Message("user", tuple(blocks)),) if blocks else (),
        tools=(),
        extra=extra,
    )


class GenerateClient(OllamaClient):
    """See ClientFormat."""

    name = "generate"

    def parse(self, body: bytes) -> Ask:
        return parse(body)

    def render(self, answer: Answer, ask: Ask) -> bytes:
        fields: dict[str, Any] = {
            "model": answer.model or ask.model,
            "created_at": nano_time(answer.created),
            "response": texts(answer.blocks),
        }
        thought = "".join(block.text for block in answer.blocks if isinstance(block, Thinking))
        if thought:
            fields["thinking"] = thought
        if answer.logprobs and ask.logprobs:
            fields["logprobs"] = plain(answer.logprobs)
        fields["done"] = True
        fields["done_reason"] = done_reason(answer.stop_reason, answer.raw_stop)
        return encode({**fields, **write_end(answer.usage, answer.timings, 0)})

    def renderer(self, ask: Ask) -> GenerateStream:
        return GenerateStream(ask)


class GenerateStream(OllamaStream):
    """Lines with `response` where a chat's have `message`; there are no tool calls."""

    __slots__ = ()

    def feed(self, event: Event) -> bytes:
        if isinstance(event, TextDelta):
            said = self._now() + b'"response":' + encode(event.text) + b',"done":false'
            return said + self._weighed(event) + b"}\n"
        if isinstance(event, ThinkingDelta):
            text = encode(event.text)
            return self._now() + b'"response":"","thinking":' + text + b',"done":false}\n'
        return super().feed(event)

    def _tool_call(self) -> bytes:
        self._call, self._input = None, []
        return b""

    def _finish(self, event: Finish) -> bytes:
        return self._now() + b'"response":"",' + self._end(event)


class GenerateUpstream(OllamaUpstream):
    """See UpstreamFormat. Also for OpenAI's completions, whose `suffix` it knows."""

    name = "generate"
    path = PATH

    def request(
        self, ask: Ask, model: str, *, stream: bool
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        return self.path, [], render(ask, model, stream=stream, thinkers=self._thinkers)


def render(ask: Ask, model: str, *, stream: bool, thinkers: Container[str]) -> bytes:
    """The request body of a one-turn request. Raises Unsupported."""
    own = {name: text for name in OWN if (text := ask.extra.get(name)) is not None}
    others = {name: text for name, text in ask.extra.items() if name not in own}
    refuse_extra(msgspec.structs.replace(ask, extra=others), "Ollama")
    if len(ask.messages) > 1 or (ask.messages and ask.messages[0].role != "user"):
        raise Unsupported("messages: more than one prompt", param="messages")
    blocks = ask.messages[0].blocks if ask.messages else ()
    body: dict[str, Any] = {"model": model, "prompt": texts(blocks), "stream": stream}
    if images := [request.image(block) for block in blocks if isinstance(block, Image)]:
        body["images"] = images
    if ask.system:
        body["system"] = "\n".join(part.text for part in ask.system)
    body |= {name: raw(text) for name, text in own.items()}
    return encode(body | request.common(ask, model, thinkers))
