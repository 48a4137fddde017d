"""One AI upstream as the control process calls it: whole answers, in threads that may wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from pihub.domain.chat import Answer, Ask
from pihub.domain.ports import UpstreamFormat
from pihub.errors import UpstreamError
from pihub.settings.schema import Pool, Timers
from pihub.upstream.connector.connector import Connector
from pihub.upstream.connector.origin import Origin
from pihub.upstream.connector.response import Response

DEFAULT_MAX_TOKENS = 8192
ERROR_BODY = 64 * 1024
MOST_ANSWER = 64 << 20
POOL = Pool(size=2, idle=30.0)
JSON_BODY = ("content-type", "application/json")
VERSION = ("anthropic-version", "2023-06-01")


@dataclass(frozen=True)
class Remote:
    """`auth` holds the upstream's credential and is never logged or shown."""

    name: str
    kind: str
    format: UpstreamFormat
    origin: Origin
    base: str
    auth: tuple[tuple[str, str], ...]
    timers: Timers
    connector: Connector
    simulated: bool

    def send(self, method: str, path: str, body: bytes | None) -> Response:
        """An answer of status 200. Raises UpstreamError."""
        return self._send(method, path, [JSON_BODY, *self.auth], body)

    def body(self, ask: Ask, model: str, max_tokens: int | None = None) -> bytes:
        """Of a whole chat. Raises Unsupported."""
        return self._request(ask, model, max_tokens)[2]

    def ask(self, ask: Ask, model: str, once: str) -> Answer:
        """One chat, whole. `once` names it: another hub behind this one, and whoever else
        knows Idempotency-Key, gives a repeat the answer that it has made already.

        Raises UpstreamError and Unsupported.
        """
        path, headers, body = self._request(ask, model, None)
        headers = [JSON_BODY, *headers, *self.auth, ("idempotency-key", once)]
        response = self._send("POST", path, headers, body)
        try:
            data = response.read_all(MOST_ANSWER)
        finally:
            response.close()
        return self.format.answer(200, response.headers, data)

    def _request(
        self, ask: Ask, model: str, max_tokens: int | None
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        if ask.max_tokens is None and (max_tokens or self.kind == "anthropic"):
            ask = msgspec.structs.replace(ask, max_tokens=max_tokens or DEFAULT_MAX_TOKENS)
        ask = msgspec.structs.replace(ask, stream=False)
        return self.format.request(ask, model, stream=False)

    def _send(
        self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes | None
    ) -> Response:
        if self.kind == "anthropic" and not any(name == VERSION[0] for name, _ in headers):
            headers = [*headers, VERSION]
        if path.startswith("/v1/") and self.base.endswith("/v1"):
            path = path[3:]
        response = self.connector.request(
            self.origin, method, self.base + path, list(headers), body, self.timers, pool=POOL
        )
        if response.status == 200:
            return response
        try:
            text = response.read_all(ERROR_BODY)
        except UpstreamError:
            text = b""
        finally:
            response.close()
        raise self.format.error(response.status, response.headers, text)
