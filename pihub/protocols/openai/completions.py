"""OpenAI's completions (not chat): as a client and a compatible upstream speak them.

Source: the OpenAI API reference, "Completions". Upstreams that speak it get the client's
own bytes; others answer the prompt as a chat of one message.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from pihub.domain.chat import Answer, Ask, Message, Text
from pihub.domain.stream import Event, Failed, Finish, Ping, Start, TextDelta
from pihub.errors import BadRequest, PihubError
from pihub.protocols import logprobs
from pihub.protocols.canonical import answer_id, check, texts
from pihub.protocols.jsontext import BodyDecoder, Int64, Scalar, encode, sound
from pihub.protocols.openai.client import OpenAIClient
from pihub.protocols.openai.errors import envelope
from pihub.protocols.openai.response import FINISHES
from pihub.protocols.openai.upstream import OpenAIUpstream
from pihub.protocols.openai.wire import RAW_NONE, StreamOptions, write_usage
from pihub.protocols.sse import ping

PATH = "/v1/completions"


class CompletionRequest(msgspec.Struct):
    model: str
    prompt: msgspec.Raw = RAW_NONE
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Int64 | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: Int64 | None = None
    stop: str | list[str] | None = None
    seed: Int64 | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: Int64 | bool | None = None
    """How many alternatives of each token; vLLM and Ollama's own layer take a truth value."""
    user: str | None = None


class ExactRequest(CompletionRequest, forbid_unknown_fields=True):
    pass


_DECODER: BodyDecoder[CompletionRequest] = BodyDecoder(ExactRequest, CompletionRequest)
_PROMPT: msgspec.json.Decoder[str | list[Scalar | list[Scalar]] | None] = msgspec.json.Decoder(
    str | list[Scalar | list[Scalar]] | None
)
_PLAIN = {"echo": ("false",), "n": ("1",), "best_of": ("1",)}
"""Values that say what is so anyway."""


def parse(body: bytes) -> Ask:
    """Raises BadRequest. Several prompts and token ids stand in `extra`: an upstream of the
    same protocol takes them, others refuse."""
    wire, extra = _DECODER.decode(body)
    for name, values in _PLAIN.items():
        if extra.get(name) in values:
            del extra[name]
    if extra.get("suffix") == '""':
        del extra["suffix"]
    if not wire.model:
        raise BadRequest("model: must not be empty", param="model")
    check(wire.temperature, 0, 2, "temperature")
    check(wire.top_p, 0, 1, "top_p")
    stop = wire.stop
    weighs, top = _weighs(wire.logprobs)
    return Ask(
        model=wire.model,
        messages=(Message("user", (Text(_prompt(wire.prompt, extra)),)),),
        # The vendor's default; a chat upstream would otherwise go on to its own limit.
        max_tokens=16 if wire.max_tokens is None else wire.max_tokens,
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        stop=() if stop is None else (stop,) if isinstance(stop, str) else tuple(stop),
        seed=wire.seed,
        presence_penalty=wire.presence_penalty,
        frequency_penalty=wire.frequency_penalty,
        logprobs=weighs,
        top_logprobs=top,
        stream=bool(wire.stream),
        include_usage=wire.stream_options is not None and bool(wire.stream_options.include_usage),
        user=wire.user or "",
        extra=extra,
    )


def _weighs(said: int | bool | None) -> tuple[bool, int | None]:
    """(whether, alternatives). The vendor's 0 asks for the chosen tokens alone."""
    if said is None or isinstance(said, bool):
        return bool(said), None
    return logprobs.wanted(True, said)


def _prompt(raw: msgspec.Raw, extra: dict[str, str]) -> str:
    if not bytes(raw):
        raise BadRequest("prompt: missing", param="prompt")
    try:
        prompt = _PROMPT.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("prompt: must be text, texts or tokens", param="prompt") from None
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        prompt = prompt[0]
    if isinstance(prompt, str):
        return prompt
    extra["prompt"] = sound(raw)
    return ""


class CompletionsClient(OpenAIClient):
    """See ClientFormat."""

    name = "completions"

    def parse(self, body: bytes) -> Ask:
        return parse(body)

    def render(self, answer: Answer, ask: Ask) -> bytes:
        body = _head(answer.id, answer.model or ask.model, answer.created)
        choice = _choice(texts(answer.blocks), FINISHES[answer.stop_reason])
        if ask.logprobs and answer.logprobs:
            choice["logprobs"] = logprobs.lists(answer.logprobs, 0)
        body["choices"] = [choice]
        if answer.usage is not None:
            body["usage"] = write_usage(answer.usage)
        return encode(body)

    def renderer(self, ask: Ask) -> CompletionsStream:  # type: ignore[override]
        return CompletionsStream(ask)


def _head(id_: str, model: str, created: int) -> dict[str, Any]:
    return {
        "id": answer_id("cmpl-", id_),
        "object": "text_completion",
        "created": created or int(time.time()),
        "model": model,
    }


def _choice(text: str, finish: str | None) -> dict[str, Any]:
    return {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}


class CompletionsStream:
    """Chunks of text; thinking is no part of a completion and is left out."""

    content_type = "text/event-stream"

    __slots__ = ("_ask", "_head", "_said")

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._head = _head("", ask.model, 0)
        self._said = 0

    def feed(self, event: Event) -> bytes:
        """The bytes for one event, empty if it has none in this protocol."""
        if isinstance(event, TextDelta):
            choice = _choice(event.text, None)
            if self._ask.logprobs and event.logprobs:
                choice["logprobs"] = logprobs.lists(event.logprobs, self._said)
            self._said += len(event.text)
            return self._chunk([choice])
        if isinstance(event, Start):
            self._head = _head(event.id, event.model or self._ask.model, event.created)
        elif isinstance(event, Finish):
            last = self._chunk([_choice("", FINISHES[event.stop_reason])])
            if self._ask.include_usage and event.usage is not None:
                last += self._chunk([], usage=write_usage(event.usage))
            return last + b"data: [DONE]\n\n"
        elif isinstance(event, Ping):
            return ping(event.note)
        elif isinstance(event, Failed):
            return self.error(event.error, "")
        return b""

    def error(self, error: PihubError, request_id: str) -> bytes:
        """An error chunk; the stream ends after it, without finish_reason or [DONE]."""
        body = envelope(error)
        if request_id:
            body["error"]["request_id"] = request_id
        return b"data: " + encode(body) + b"\n\n"

    def _chunk(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        if self._ask.include_usage:
            more.setdefault("usage", None)
        return b"data: " + encode({**self._head, "choices": choices, **more}) + b"\n\n"


class CompletionsUpstream(OpenAIUpstream):
    """See UpstreamFormat. It is only asked by clients of the same protocol."""

    name = "completions"
    path = PATH
