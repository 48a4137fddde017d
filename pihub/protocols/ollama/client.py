"""Ollama's format as a client speaks it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from pihub.domain.chat import Answer, Ask
from pihub.domain.ports import Peek
from pihub.errors import PihubError
from pihub.protocols.canonical import rfc3339
from pihub.protocols.jsontext import encode
from pihub.protocols.ollama import errors, parse, response
from pihub.protocols.ollama.stream_out import OllamaStream
from pihub.protocols.peek import peek_ollama

_DETAILS: dict[str, Any] = {
    "parent_model": "",
    "format": "",
    "family": "",
    "families": None,
    "parameter_size": "",
    "quantization_level": "",
}


class OllamaClient:
    """See ClientFormat."""

    name = "ollama"

    def peek(self, body: bytes) -> Peek:
        return peek_ollama(body)

    def parse(self, body: bytes) -> Ask:
        return parse.parse(body)

    def render(self, answer: Answer, ask: Ask) -> bytes:
        return response.write(answer, ask)

    def renderer(self, ask: Ask) -> OllamaStream:
        return OllamaStream(ask)

    def error(self, error: PihubError, request_id: str) -> tuple[int, list[tuple[str, str]], bytes]:
        return errors.render(error, request_id)

    def models(self, names: Sequence[str], created: int) -> bytes:
        """The body of /api/tags, of models of which nothing is known but the name."""
        return tags(names, created, lambda name: {})


def tags(
    names: Sequence[str], created: int, card_of: Callable[[str], dict[str, Any]]
) -> bytes:
    """The body of /api/tags. `card_of` gives what is known of a model in Ollama's own words
    (size, digest, modified_at, details); without it the digest stands for the name."""
    models = [
        {
            "name": name,
            "model": name,
            "modified_at": rfc3339(created),
            "size": 0,
            "digest": hashlib.sha256(name.encode()).hexdigest(),
            "details": _DETAILS,
            **card_of(name),
        }
        for name in names
    ]
    return encode({"models": models})


def version(number: str) -> bytes:
    """The body of /api/version."""
    return encode({"version": number})
