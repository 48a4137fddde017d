"""OpenAI's embeddings: as a client and an upstream speak them.

Source: the OpenAI API reference, "Embeddings". `encoding_format: base64` is the default
of OpenAI's own SDK: the vector's little-endian 32-bit floats.
"""

from __future__ import annotations

import base64
import struct
from typing import Any

import msgspec

from pihub.domain.embed import EmbedAsk, Vectors
from pihub.errors import BadRequest
from pihub.protocols.canonical import count
from pihub.protocols.faults import not_the_format
from pihub.protocols.jsontext import BodyDecoder, Int64, edit, encode
from pihub.protocols.openai.client import OpenAIClient

PATH = "/v1/embeddings"


class EmbeddingRequest(msgspec.Struct):
    model: str
    input: str | list[str | Int64 | list[Int64]]
    encoding_format: str | None = None
    dimensions: Int64 | None = None
    user: str | None = None


class ExactRequest(EmbeddingRequest, forbid_unknown_fields=True):
    pass


class _Datum(msgspec.Struct):
    embedding: list[float] | str
    index: int = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None


class _Answer(msgspec.Struct):
    data: list[_Datum]
    model: str = ""
    usage: _Usage | None = None


class _Light(msgspec.Struct):
    data: msgspec.Raw
    usage: _Usage | None = None


_DECODER: BodyDecoder[EmbeddingRequest] = BodyDecoder(ExactRequest, EmbeddingRequest)
_ANSWER = msgspec.json.Decoder(_Answer)
_LIGHT = msgspec.json.Decoder(_Light)


class OpenAIEmbeddings(OpenAIClient):
    """See EmbedClient."""

    name = "openai"
    path = PATH

    def parse_embed(self, body: bytes) -> EmbedAsk:
        """Raises BadRequest."""
        wire, extra = _DECODER.decode(body)
        if not wire.model:
            raise BadRequest("model: must not be empty", param="model")
        form = wire.encoding_format
        if form not in (None, "float", "base64"):
            raise BadRequest("encoding_format: float or base64", param="encoding_format")
        if wire.dimensions is not None and wire.dimensions < 1:
            raise BadRequest("dimensions: must be at least 1", param="dimensions")
        return EmbedAsk(
            model=wire.model,
            inputs=_inputs(wire.input),
            dimensions=wire.dimensions,
            base64=form == "base64",
            user=wire.user or "",
            extra=extra,
        )

    def render_embed(self, answer: Vectors, ask: EmbedAsk) -> bytes:
        tokens = answer.tokens or 0
        data = [
            {"object": "embedding", "index": index, "embedding": _written(vector, ask.base64)}
            for index, vector in enumerate(answer.vectors)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return encode({"object": "list", "data": data, "model": answer.model, "usage": usage})


def _inputs(wire: str | list[Any]) -> tuple[str | tuple[int, ...], ...]:
    if isinstance(wire, str):
        wire = [wire]
    if not wire:
        raise BadRequest("input: must not be empty", param="input")
    if all(isinstance(item, int) for item in wire):
        return (tuple(wire),)
    found: list[str | tuple[int, ...]] = []
    for index, item in enumerate(wire):
        if isinstance(item, int):
            raise BadRequest(f"input[{index}]: texts and tokens mixed", param=f"input[{index}]")
        found.append(item if isinstance(item, str) else tuple(item))
    return tuple(found)


def _written(vector: tuple[float, ...], as_base64: bool) -> str | tuple[float, ...]:
    if not as_base64:
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


class OpenAIEmbedder:
    """See EmbedUpstream."""

    name = "openai"
    path = PATH

    def request(self, ask: EmbedAsk, model: str) -> bytes:
        body: dict[str, Any] = {"model": model, "input": ask.inputs, "encoding_format": "float"}
        if ask.dimensions is not None:
            body["dimensions"] = ask.dimensions
        if ask.user:
            body["user"] = ask.user
        return encode(body)

    def notes(self, ask: EmbedAsk) -> tuple[str, ...]:
        found = ["options." + name for name in ask.options] + list(ask.extra)
        if ask.truncate is not None:
            found.append("truncate")
        if ask.keep_alive is not None:
            found.append("keep_alive")
        return tuple(found)

    def patch(self, body: bytes, model: str) -> bytes:
        return edit(body, {"model": encode(model)})

    def read(self, body: bytes) -> Vectors:
        """Raises UpstreamError for a 200 that holds no vectors."""
        try:
            wire = _ANSWER.decode(body)
            data = sorted(wire.data, key=lambda datum: datum.index)
            vectors = tuple(_numbers(datum.embedding) for datum in data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, struct.error):
            raise not_the_format("OpenAI embeddings", 200, body) from None
        return Vectors(model=wire.model, vectors=vectors, tokens=_tokens(wire.usage))

    def glance(self, body: bytes) -> int | None:
        """The tokens used. Raises UpstreamError as `read` does."""
        try:
            return _tokens(_LIGHT.decode(body).usage)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise not_the_format("OpenAI embeddings", 200, body) from None


def _numbers(wire: list[float] | str) -> tuple[float, ...]:
    if not isinstance(wire, str):
        return tuple(wire)
    data = base64.b64decode(wire, validate=True)
    return struct.unpack(f"<{len(data) // 4}f", data)


def _tokens(usage: _Usage | None) -> int | None:
    return None if usage is None or usage.prompt_tokens is None else count(usage.prompt_tokens)
