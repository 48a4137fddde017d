"""Anthropic's Message Batches API: many requests at once, within 24 hours, at a discount.

Source: https://docs.anthropic.com/en/api/creating-message-batches and its neighbours: create,
retrieve, list, cancel, results (one JSON object a line, in any order, by `custom_id`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from pihub.errors import UpstreamProtocol
from pihub.upstream.connector.response import Response

PATH = "/v1/messages/batches"

T = TypeVar("T")


class Counts(msgspec.Struct, frozen=True):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


class Batch(msgspec.Struct, frozen=True):
    """`processing_status`: in_progress, canceling or ended."""

    id: str
    processing_status: str
    created_at: str = ""
    request_counts: Counts = Counts()

    @property
    def ended(self) -> bool:
        return self.processing_status == "ended"

    @property
    def created(self) -> float:
        """Unix seconds; 0 if it is not told."""
        try:
            return datetime.fromisoformat(self.created_at.replace("Z", "+00:00")).timestamp()
        except ValueError:
            return 0.0


class Result(msgspec.Struct, frozen=True):
    """`type`: succeeded (with `message`), errored (with `error`), canceled or expired."""

    type: str
    message: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")


class Line(msgspec.Struct, frozen=True):
    custom_id: str
    result: Result


class _Listed(msgspec.Struct):
    data: list[Batch]


Send = Callable[[str, str, bytes | None], Response]
"""(method, path, body) to an answer of status 200; raises UpstreamError for any other."""


class Batches:
    """One upstream's."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def create(self, requests: Sequence[tuple[str, bytes]]) -> Batch:
        """`requests`: (custom_id, body of /v1/messages)."""
        parts = [
            b'{"custom_id":' + msgspec.json.encode(name) + b',"params":' + body + b"}"
            for name, body in requests
        ]
        return self._batch("POST", PATH, b'{"requests":[' + b",".join(parts) + b"]}")

    def get(self, id_: str) -> Batch:
        return self._batch("GET", f"{PATH}/{id_}", None)

    def cancel(self, id_: str) -> Batch:
        return self._batch("POST", f"{PATH}/{id_}/cancel", b"")

    def newest(self) -> list[Batch]:
        """The last hundred, newest first."""
        return self._read("GET", f"{PATH}?limit=100", None, _Listed).data

    def results(self, id_: str) -> Iterator[Line]:
        """Of a batch that has ended. RAM: a line, up to one answer."""
        rest = b""
        response = self._send("GET", f"{PATH}/{id_}/results", None)
        try:
            while data := response.read_some():
                *lines, rest = (rest + data).split(b"\n")
                yield from map(_line, filter(None, lines))
            if rest.strip():
                yield _line(rest)
        finally:
            response.close()

    def _batch(self, method: str, path: str, body: bytes | None) -> Batch:
        return self._read(method, path, body, Batch)

    def _read(self, method: str, path: str, body: bytes | None, kind: type[T]) -> T:
        response = self._send(method, path, body)
        try:
            return msgspec.json.decode(response.read_all(4 << 20), type=kind)
        except msgspec.DecodeError as error:
            raise UpstreamProtocol("the batch interface said what is no batch") from error
        finally:
            response.close()


def _line(data: bytes) -> Line:
    try:
        return msgspec.json.decode(data, type=Line)
    except msgspec.DecodeError as error:
        raise UpstreamProtocol("a line of a batch's results is not understood") from error
