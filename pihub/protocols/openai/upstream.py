"""OpenAI's format as an upstream speaks it."""

from __future__ import annotations

from pihub.domain.chat import Answer, Ask
from pihub.domain.ports import Glance, Headers
from pihub.errors import UpstreamError
from pihub.protocols import faults
from pihub.protocols.openai import request, response
from pihub.protocols.openai.stream_in import OpenAIStreamParser


class OpenAIUpstream:
    """See UpstreamFormat."""

    name = "openai"
    path = request.PATH
    headers: Headers = ()

    def request(
        self, ask: Ask, model: str, *, stream: bool
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        return self.path, [], request.render(ask, model, stream=stream)

    def notes(self, ask: Ask, model: str) -> tuple[str, ...]:
        return request.notes(ask)

    def unwatched(self, ask: Ask) -> tuple[str, ...]:
        return ()

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

    def parser(self) -> OpenAIStreamParser:
        return OpenAIStreamParser()
