"""Ollama's native format as an upstream speaks it."""

from __future__ import annotations

from collections.abc import Container

from pihub.domain.chat import Answer, Ask
from pihub.domain.ports import Glance, Headers
from pihub.errors import UpstreamError
from pihub.protocols import faults
from pihub.protocols.ollama import request, response
from pihub.protocols.ollama.stream_in import OllamaStreamParser


class OllamaUpstream:
    """See UpstreamFormat. `thinkers`: the models that are known to think."""

    name = "ollama"
    path = request.PATH
    headers: Headers = ()

    def __init__(self, thinkers: Container[str] = ()) -> None:
        self._thinkers = thinkers

    def request(
        self, ask: Ask, model: str, *, stream: bool
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        body = request.render(ask, model, stream=stream, thinkers=self._thinkers)
        return self.path, [], body

    def notes(self, ask: Ask, model: str) -> tuple[str, ...]:
        return request.notes(ask, model, self._thinkers)

    def unwatched(self, ask: Ask) -> tuple[str, ...]:
        return ()

    def patch_request(self, body: bytes, model: str, *, stream: bool) -> bytes:
        return request.patch(body, model, stream=stream)

    def answer(self, status: int, headers: Headers, body: bytes) -> Answer:
        if status != 200:
            raise self.error(status, headers, body)
        return response.read(status, body)

    def glance(self, status: int, body: bytes) -> Glance:
        answer = self.answer(status, (), body)
        return Glance(answer.usage, answer.raw_stop)

    def error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        return faults.from_status(status, headers, body)

    def parser(self) -> OllamaStreamParser:
        return OllamaStreamParser()
