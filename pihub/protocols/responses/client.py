"""The Responses API as a client speaks it. One object a request: it knows the past."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from pihub.domain.chat import Answer, Ask
from pihub.errors import BadRequest
from pihub.protocols.jsontext import edit, encode
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
        self._items = [*self._earlier(wire.previous_response_id), *own]
        return parse.parse(wire, self._items, extra)

    def whole(self, body: bytes) -> bytes:
        """A body that says itself what it refers to. Raises BadRequest."""
        wire, own, _ = parse.decode(body)
        if not wire.previous_response_id:
            return body
        items = encode([*self._earlier(wire.previous_response_id), *own])
        return edit(body, {"input": items, "previous_response_id": b"null"})

    def _earlier(self, id_: str | None) -> list[msgspec.Raw]:
        """What was said up to a stored response, itself included. Raises BadRequest."""
        if not id_:
            return []
        kept = self._past.get(id_)
        if kept is None:
            raise BadRequest(
                f"previous_response_id: {id_[:80]!r} is not known "
                "(any more): send the conversation as input",
                param="previous_response_id",
            )
        return kept.input + _OUTPUT.decode(kept.response).output

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
