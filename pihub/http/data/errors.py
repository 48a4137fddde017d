"""PihubError to the caller's own envelope, by the path that was called."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any, NoReturn

import falcon
import ujson

from pihub.domain.ports import ClientFormat
from pihub.errors import (
    BadRequest,
    InputRefused,
    Internal,
    MethodNotAllowed,
    NotFound,
    PihubError,
)

log = logging.getLogger("pihub.http")


def problem(error: PihubError, rid: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """RFC 9457 problem details, for everything that is no vendor's protocol."""
    headers = [("content-type", "application/problem+json")]
    if error.retry_after:
        headers.append(("retry-after", str(max(1, math.ceil(error.retry_after)))))
    body = {
        "type": f"urn:pihub:error:{error.code}",
        "title": error.message,
        "status": error.status,
        "code": error.code,
        "request_id": rid,
    }
    return error.status, headers, ujson.dumps(body, escape_forward_slashes=False).encode()


class ErrorMapper:
    """Installs itself as Falcon's handler of everything that a resource may raise."""

    def __init__(self, clients: Mapping[str, ClientFormat]) -> None:
        self._clients = clients

    def render(
        self, path: str, env: Mapping[str, Any], error: PihubError
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """(status, headers, body) in the protocol that `path` belongs to."""
        rid = env.get("pihub.rid_hex", "")
        client = self.client_for(path, env)
        if client is None:
            return problem(error, rid)
        return client.error(error, rid)

    def client_for(self, path: str, env: Mapping[str, Any]) -> ClientFormat | None:
        if path.startswith("/v1/messages"):
            return self._clients["anthropic"]
        if path.startswith("/v1/"):
            anthropic = "HTTP_ANTHROPIC_VERSION" in env
            return self._clients["anthropic" if anthropic else "openai"]
        if path.startswith("/api/"):
            return self._clients["ollama"]
        return None

    def install(self, app: falcon.App[falcon.Request, falcon.Response]) -> None:
        app.add_error_handler(Exception, self._unexpected)
        app.add_error_handler(falcon.HTTPError, self._http_error)
        app.add_error_handler(PihubError, self._pihub_error)

    def _pihub_error(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, params: Any
    ) -> None:
        assert isinstance(error, PihubError)
        status, headers, body = self.render(req.path, req.env, error)
        resp.status = status
        for name, value in headers:
            resp.set_header(name, value)
        resp.set_header("x-pihub-request-id", req.env.get("pihub.rid_hex", ""))
        if isinstance(error, InputRefused) and error.detail:
            resp.set_header("x-pihub-finding", error.detail)
        resp.data = body

    def _http_error(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, params: Any
    ) -> None:
        assert isinstance(error, falcon.HTTPError)
        known: PihubError
        if error.status_code == 404:
            known = NotFound(f"no such route: {req.method} {req.path[:200]}")
        elif error.status_code == 405:
            known = MethodNotAllowed(f"{req.method} is not allowed here")
        elif error.status_code < 500:
            known = BadRequest("the request is malformed")
        else:
            known = Internal("the request could not be handled")
            log.warning("falcon error %s on %s", error.status, req.path)
        self._pihub_error(req, resp, known, params)
        if error.status_code == 405 and error.headers:
            for name, value in dict(error.headers).items():
                resp.set_header(name, value)

    def _unexpected(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, params: Any
    ) -> None:
        log.error("request %s failed", req.env.get("pihub.rid_hex"), exc_info=error)
        self._pihub_error(req, resp, Internal("the hub failed; its log knows why"), params)


def not_found(req: falcon.Request, resp: falcon.Response, **_: object) -> NoReturn:
    """The sink behind all routes."""
    raise NotFound(f"no such route: {req.method} {req.path[:200]}")
