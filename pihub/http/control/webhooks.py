"""The control process's side of taking events in: a plain WSGI app on a socket of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from pihub.errors import BadRequest, Internal, NotFound, PihubError
from pihub.http.data.chat import STATUS_LINES
from pihub.http.data.errors import problem

log = logging.getLogger("pihub.webhooks")

PREFIX = "/take/"


class Taking(Protocol):
    """`webhooks.inbox.Inbox`."""

    def take(self, name: str, headers: Mapping[str, str], body: bytes) -> bytes: ...


class TakeApp:
    """POST /take/NAME, from workers alone: whoever may open the socket is the hub's user."""

    def __init__(self, inbox: Taking) -> None:
        self._inbox = inbox

    def __call__(
        self, env: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        try:
            status, headers, body = 200, [("content-type", "application/json")], self._take(env)
        except PihubError as error:
            if error.detail:
                log.error("events could not be stored: %s", error.detail)
            status, headers, body = problem(error, env.get("HTTP_X_PIHUB_REQUEST_ID", ""))
        except Exception:
            log.exception("events could not be taken in")
            status, headers, body = problem(
                Internal("the hub failed; its log knows why"),
                env.get("HTTP_X_PIHUB_REQUEST_ID", ""),
            )
        start_response(STATUS_LINES[status], [*headers, ("content-length", str(len(body)))])
        return [body]

    def _take(self, env: dict[str, Any]) -> bytes:
        path = str(env.get("PATH_INFO", ""))
        if env.get("REQUEST_METHOD") != "POST" or not path.startswith(PREFIX):
            raise NotFound("no such route")
        size = int(env.get("CONTENT_LENGTH") or 0)
        body = env["wsgi.input"].read(size)
        if len(body) < size:
            raise BadRequest("the body is cut off")
        headers = {
            key[5:].replace("_", "-").lower(): value
            for key, value in env.items()
            if key.startswith("HTTP_")
        }
        return self._inbox.take(path[len(PREFIX) :], headers, body)
