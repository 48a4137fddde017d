"""Every failure of the control plane as problem details (RFC 9457), nothing inside out."""

from __future__ import annotations

import logging
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


def install(app: falcon.App[falcon.Request, falcon.Response]) -> None:
    """Register the handlers of all that a resource or Falcon itself may raise."""
    app.add_error_handler(Exception, _unexpected)
    app.add_error_handler(StoreFault, _store_fault)
    app.add_error_handler(falcon.HTTPError, _http_error)
    app.add_error_handler(PihubError, _pihub_error)


def _answer(req: falcon.Request, resp: falcon.Response, error: PihubError) -> None:
    status, headers, body = problem(error, req.env.get("pihub.rid_hex", ""))
    resp.status = status
    for name, value in headers:
        resp.set_header(name, value)
    resp.data = body


def _pihub_error(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
    assert isinstance(error, PihubError)
    _answer(req, resp, error)


def _http_error(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
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
    _answer(req, resp, known)


def _store_fault(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
    log.error("request %s: the store failed: %s", req.env.get("pihub.rid_hex"), error)
    _answer(req, resp, ControlUnavailable("the database does not answer; try again", retry_after=2))


def _unexpected(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
    log.error("request %s failed", req.env.get("pihub.rid_hex"), exc_info=error)
    _answer(req, resp, Internal("the hub failed; its log knows why"))
