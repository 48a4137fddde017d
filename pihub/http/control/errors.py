"""Every failure of the control plane as problem details (RFC 9457), nothing inside out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import falcon

from pihub.errors import (
    BadRequest,
    ControlUnavailable,
    Internal,
    MethodNotAllowed,
    NotFound,
    PihubError,
    TooLarge,
)
from pihub.http.data.errors import problem
from pihub.store.sqlite import StoreFault

log = logging.getLogger("pihub.control")


Page = Callable[[falcon.Request, falcon.Response, PihubError], bool]
"""Answers a browser with a page; False: it is none that asked for one."""


class Failures:
    """Falcon's handlers of all that a resource or Falcon itself may raise."""

    def __init__(self, page: Page | None = None) -> None:
        self._page = page

    def install(self, app: falcon.App[falcon.Request, falcon.Response]) -> None:
        app.add_error_handler(Exception, self._unexpected)
        app.add_error_handler(StoreFault, self._store_fault)
        app.add_error_handler(falcon.HTTPError, self._http_error)
        app.add_error_handler(PihubError, self._pihub_error)

    def _answer(self, req: falcon.Request, resp: falcon.Response, error: PihubError) -> None:
        status, headers, body = problem(error, req.env.get("pihub.rid_hex", ""))
        resp.status = status
        for name, value in headers:
            resp.set_header(name, value)
        if self._page is None or not self._page(req, resp, error):
            resp.data = body

    def _pihub_error(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, params: Any
    ) -> None:
        assert isinstance(error, PihubError)
        self._answer(req, resp, error)

    def _http_error(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, params: Any
    ) -> None:
        assert isinstance(error, falcon.HTTPError)
        known: PihubError
        if error.status_code == 404:
            known = NotFound(f"no such route: {req.method} {req.path[:200]}")
        elif error.status_code == 405:
            known = MethodNotAllowed(f"{req.method} is not allowed here")
            for name, value in dict(error.headers or {}).items():
                resp.set_header(name, value)
        elif error.status_code == 413:
            known = TooLarge("the body is too large")
        elif error.status_code < 500:
            known = BadRequest(error.description or error.title or "the request is malformed")
        else:
            known = Internal("the request could not be handled")
        self._answer(req, resp, known)

    def _store_fault(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, params: Any
    ) -> None:
        log.error("request %s: the store failed: %s", req.env.get("pihub.rid_hex"), error)
        text = "the database does not answer; try again"
        self._answer(req, resp, ControlUnavailable(text, retry_after=2))

    def _unexpected(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, params: Any
    ) -> None:
        log.error("request %s failed", req.env.get("pihub.rid_hex"), exc_info=error)
        self._answer(req, resp, Internal("the hub failed; its log knows why"))
