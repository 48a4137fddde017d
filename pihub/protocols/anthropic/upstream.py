"""Anthropic's format as an upstream speaks it."""

from __future__ import annotations

from pihub.domain.chat import Answer, Ask
from pihub.domain.ports import Glance, Headers
from pihub.errors import UpstreamError
from pihub.protocols import faults
from pihub.protocols.anthropic import request, response
from pihub.protocols.anthropic.stream_in import AnthropicStreamParser
from pihub.protocols.anthropic.wire import VERSION


class AnthropicUpstream:
    """See UpstreamFormat."""

    name = "anthropic"
    path = request.PATH
    headers: Headers = (("anthropic-version", VERSION),)

    def request(
        self, ask: Ask, model: str, *, stream: bool
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        body = request.render(ask, model, stream=stream)
        return self.path, list(self.headers), body

    def notes(self, ask: Ask, model: str) -> tuple[str, ...]:
        return request.notes(ask, model)

    def unwatched(self, ask: Ask) -> tuple[str, ...]:
        return tuple(text for text in ask.stop if text and not text.strip())

    def patch_request(self, body: bytes, model: str, *, stream: bool) -> bytes:
        return request.patch(body, model, stream=stream)

    def answer(self, status: int, headers: Headers, body: bytes) -> Answer:
        if status != 200:
            raise self.error(status, headers, body)
        return response.read(status, body)

    def glance(self, status: int, body: bytes) -> Glance:
        return response.glance(status, body)

    def error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        return faults.from_status(status, headers, body)

    def parser(self) -> AnthropicStreamParser:
        return AnthropicStreamParser()
