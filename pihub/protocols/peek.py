"""A first look at a request's body: one decode that keeps three fields.

The whole text is checked as JSON; whatever else stands in it is left to `parse`, which
a chat that passes through in its own protocol never needs.
"""

from __future__ import annotations

import msgspec

from pihub.domain.ports import Peek
from pihub.errors import BadRequest
from pihub.protocols.jsontext import bad_json


class _Head(msgspec.Struct):
    """OpenAI and Anthropic."""

    model: str
    stream: bool | None = None
    temperature: float | None = None


class _Options(msgspec.Struct):
    temperature: float | None = None


class _OllamaHead(msgspec.Struct):
    model: str
    stream: bool | None = None
    options: _Options | None = None


_HEAD = msgspec.json.Decoder(_Head)
_OLLAMA = msgspec.json.Decoder(_OllamaHead)


def peek(body: bytes) -> Peek:
    """For protocols that stream on demand. Raises BadRequest."""
    try:
        head = _HEAD.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_json(error) from None
    _named(head.model)
    return Peek(head.model, head.stream is True, head.temperature)


def peek_ollama(body: bytes) -> Peek:
    """For Ollama, which streams unless told otherwise. Raises BadRequest."""
    try:
        head = _OLLAMA.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_json(error) from None
    _named(head.model)
    temperature = head.options.temperature if head.options is not None else None
    return Peek(head.model, head.stream is not False, temperature)


def _named(model: str) -> None:
    if not model:
        raise BadRequest("model: must not be empty", param="model")
