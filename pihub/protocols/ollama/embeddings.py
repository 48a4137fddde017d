"""Ollama's embeddings: /api/embed, and the older /api/embeddings with one prompt.

Source: Ollama's API documentation, "Generate Embeddings" and "Generate Embedding".
"""

from __future__ import annotations

from typing import Any

import msgspec

from pihub.domain.embed import EmbedAsk, Vectors
from pihub.errors import BadRequest, Unsupported
from pihub.protocols.canonical import count
from pihub.protocols.faults import not_the_format
from pihub.protocols.jsontext import BodyDecoder, Int64, Scalar, edit, encode
from pihub.protocols.ollama.client import OllamaClient

PATH = "/api/embed"
OLD_PATH = "/api/embeddings"
_DURATIONS = ("total_duration", "load_duration")


class EmbedRequest(msgspec.Struct):
    model: str
    input: str | list[str] | None = None
    prompt: str | None = None
    """Of the older endpoint."""
    truncate: bool | None = None
    dimensions: Int64 | None = None
    keep_alive: str | Int64 | float | None = None
    options: dict[str, Scalar | list[Scalar]] | None = None


class ExactRequest(EmbedRequest, forbid_unknown_fields=True):
    pass


class _Answer(msgspec.Struct):
    embeddings: list[list[float]]
    model: str = ""
    prompt_eval_count: int | None = None
    total_duration: int | None = None
    load_duration: int | None = None


class _Light(msgspec.Struct):
    embeddings: msgspec.Raw
    prompt_eval_count: int | None = None


_DECODER: BodyDecoder[EmbedRequest] = BodyDecoder(ExactRequest, EmbedRequest)
_ANSWER = msgspec.json.Decoder(_Answer)
_LIGHT = msgspec.json.Decoder(_Light)


class OllamaEmbeddings(OllamaClient):
    """See EmbedClient."""

    name = "ollama"
    path = PATH

    def parse_embed(self, body: bytes) -> EmbedAsk:
        """Raises BadRequest."""
        wire, extra = _DECODER.decode(body)
        if not wire.model:
            raise BadRequest("model: must not be empty", param="model")
        given = self.given(wire)
        return EmbedAsk(
            model=wire.model,
            inputs=(given,) if isinstance(given, str) else tuple(given),
            dimensions=wire.dimensions,
            truncate=wire.truncate,
            keep_alive=wire.keep_alive,
            options=dict(wire.options or {}),
            extra=extra,
        )

    def given(self, wire: EmbedRequest) -> str | list[str]:
        """What is to be embedded. Raises BadRequest."""
        if wire.input is None:
            raise BadRequest("input: missing", param="input")
        return wire.input

    def render_embed(self, answer: Vectors, ask: EmbedAsk) -> bytes:
        fields: dict[str, Any] = {"model": answer.model, "embeddings": answer.vectors}
        fields |= {name: answer.timings.get(name, 0) for name in _DURATIONS}
        fields["prompt_eval_count"] = answer.tokens or 0
        return encode(fields)


class OldEmbeddings(OllamaEmbeddings):
    """One prompt, one vector without a list around it; never passed through."""

    path = OLD_PATH

    def given(self, wire: EmbedRequest) -> str | list[str]:
        if wire.prompt is None:
            raise BadRequest("prompt: missing", param="prompt")
        return wire.prompt

    def render_embed(self, answer: Vectors, ask: EmbedAsk) -> bytes:
        return encode({"embedding": answer.vectors[0] if answer.vectors else ()})


class OllamaEmbedder:
    """See EmbedUpstream."""

    name = "ollama"
    path = PATH

    def request(self, ask: EmbedAsk, model: str) -> bytes:
        if not all(isinstance(item, str) for item in ask.inputs):
            raise Unsupported("input: Ollama takes texts, no tokens", param="input")
        body: dict[str, Any] = {"model": model, "input": ask.inputs}
        for name in ("truncate", "dimensions", "keep_alive"):
            if (value := getattr(ask, name)) is not None:
                body[name] = value
        if ask.options:
            body["options"] = ask.options
        return encode(body)

    def notes(self, ask: EmbedAsk) -> tuple[str, ...]:
        return (*ask.extra, "user") if ask.user else tuple(ask.extra)

    def patch(self, body: bytes, model: str) -> bytes:
        return edit(body, {"model": encode(model)})

    def read(self, body: bytes) -> Vectors:
        """Raises UpstreamError for a 200 that holds no vectors."""
        try:
            wire = _ANSWER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise not_the_format("Ollama embeddings", 200, body) from None
        return Vectors(
            model=wire.model,
            vectors=tuple(tuple(vector) for vector in wire.embeddings),
            tokens=None if wire.prompt_eval_count is None else count(wire.prompt_eval_count),
            timings={n: count(v) for n in _DURATIONS if (v := getattr(wire, n)) is not None},
        )

    def glance(self, body: bytes) -> int | None:
        """The tokens used. Raises UpstreamError as `read` does."""
        try:
            told = _LIGHT.decode(body).prompt_eval_count
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise not_the_format("Ollama embeddings", 200, body) from None
        return None if told is None else count(told)
