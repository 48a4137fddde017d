"""Anthropic's format as a client speaks it."""

from __future__ import annotations

from collections.abc import Sequence

from pihub.domain.chat import Answer, Ask
from pihub.domain.ports import Peek
from pihub.errors import PihubError
from pihub.protocols.anthropic import errors, listing, parse, response
from pihub.protocols.anthropic.stream_out import AnthropicStream
from pihub.protocols.peek import peek


class AnthropicClient:
    """See ClientFormat."""

    name = "anthropic"

    def peek(self, body: bytes) -> Peek:
        return peek(body)

    def parse(self, body: bytes) -> Ask:
        return parse.parse(body)

    def render(self, answer: Answer, ask: Ask) -> bytes:
        return response.write(answer, ask)

    def renderer(self, ask: Ask) -> AnthropicStream:
        return AnthropicStream(ask)

    def error(self, error: PihubError, request_id: str) -> tuple[int, list[tuple[str, str]], bytes]:
        return errors.render(error, request_id)

    def models(self, names: Sequence[str], created: int) -> bytes:
        return listing.render(names, created)
