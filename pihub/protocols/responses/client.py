"""The Responses API as a client speaks it. One object a request: it knows the past."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from pihub.domain.chat import Answer, Ask
from pihub.errors import BadRequest
from pihub.protocols.jsontext import encode
from pihub.protocols.openai.client import OpenAIClient
from pihub.protocols.responses import parse, response
from pihub.protocols.responses.response import Kept
from pihub.protocols.responses.stream_out import ResponsesStream

PATH = "/v1/responses"


class Past(Protocol):
    """One tenant's stored responses."""

    def get(self, id_: str) -> Kept | None: ...

    def put(self, id_: str, kept: Kept) -> bool:
        """False if it could not be kept."""


class Forgetful:
    """No past: nothing is stored, nothing is found."""

    def get(self, id_: str) -> Kept | None:
        return None

    def put(self, id_: str, kept: Kept) -> bool:
        return False


class ResponsesClient(OpenAIClient):
    """See ClientFormat."""

    name = "responses"

    def __init__(self, past: Past | None = None) -> None:
        self._past = past or Forgetful()
        self._said: parse.Said | None = None
        self._items: list[msgspec.Raw] = []

    def parse(self, body: bytes) -> Ask:
        wire, own, extra = self._said = parse.decode(body)
        earlier: list[msgspec.Raw] = []
        if wire.previous_response_id:
            kept = self._past.get(wire.previous_response_id)
            if kept is None:
                raise BadRequest(
                    f"previous_response_id: {wire.previous_response_id[:80]!r} is not known "
                    "(any more): send the conversation as input",
                    param="previous_response_id",
                )
            earlier = kept.input + _OUTPUT.decode(kept.response).output
        self._items = [*earlier, *own]
        return parse.parse(wire, self._items, extra)

    def render(self, answer: Answer, ask: Ask) -> bytes:
        assert self._said is not None
        body = response.whole(self._said[0], ask, answer)
        self._keep(body)
        return encode(body)

    def renderer(self, ask: Ask) -> ResponsesStream:  # type: ignore[override]
        assert self._said is not None
        return ResponsesStream(self._said[0], ask, self._keep)

    def _keep(self, body: dict[str, Any]) -> None:
        """Store unless the client said no; what could not be stored says so itself."""
        if body["store"]:
            kept = Kept(msgspec.Raw(encode(body)), self._items)
            body["store"] = self._past.put(body["id"], kept)


class _Output(msgspec.Struct):
    output: list[msgspec.Raw]


_OUTPUT = msgspec.json.Decoder(_Output)
