"""OpenAI's format as a client speaks it."""

from __future__ import annotations

from collections.abc import Sequence

from pihub.domain.chat import Answer, Ask
from pihub.domain.ports import Peek
from pihub.errors import PihubError
from pihub.protocols.jsontext import encode
from pihub.protocols.openai import errors, parse, response
from pihub.protocols.openai.stream_out import OpenAIStream
from pihub.protocols.peek import peek


class OpenAIClient:
    """See ClientFormat."""

    name = "openai"

    def peek(self, body: bytes) -> Peek:
        return peek(body)

    def parse(self, body: bytes) -> Ask:
        return parse.parse(body)

    def render(self, answer: Answer, ask: Ask) -> bytes:
        return response.write(answer, ask)

    def renderer(self, ask: Ask) -> OpenAIStream:
        return OpenAIStream(ask)

    def error(self, error: PihubError, request_id: str) -> tuple[int, list[tuple[str, str]], bytes]:
        return errors.render(error, request_id)

    def models(self, names: Sequence[str], created: int) -> bytes:
        data = [
            {"id": name, "object": "model", "created": created, "owned_by": "pihub"}
            for name in names
        ]
        return encode({"object": "list", "data": data})
