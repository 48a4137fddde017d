"""What only a real Ollama can do (pull, push, create, copy, delete, blobs): passed on."""

from __future__ import annotations

from collections.abc import Iterator

import falcon

from pihub.domain.ports import Waiter
from pihub.errors import Forbidden
from pihub.gateway.link import Link
from pihub.http.data.chat import STATUS_LINES
from pihub.http.data.whole_body import untold, whole_body
from pihub.shared.access import Access
from pihub.upstream.connector.connector import Connector
from pihub.upstream.connector.response import Response

PATHS = ("/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete", "/api/blobs")
PIECE = 64 * 1024
TOO_LARGE = "the body is larger than the hub accepts (limits.body)"


class Manage:
    """The sink of PATHS; `link` is None where no upstream is named for it."""

    def __init__(
        self,
        link: Link | None,
        keys: frozenset[int],
        access: Access,
        connector: Connector,
        waiter: Waiter,
        max_body: int,
    ) -> None:
        self._link = link
        self._keys = keys
        self._access = access
        self._connector = connector
        self._waiter = waiter
        self._max_body = max_body

    def __call__(self, req: falcon.Request, resp: falcon.Response, **_: object) -> None:
        env = req.env
        who = self._access.principal(env.get("HTTP_AUTHORIZATION"), env.get("HTTP_X_API_KEY"))
        self._access.hit(who)
        self._access.permit(who, env.get("REMOTE_ADDR", ""))
        link = self._link
        if link is None or who.key not in self._keys:
            raise Forbidden(
                "this key may not manage the models of an Ollama (ollama.manage, manage_keys)"
            )
        size = req.content_length or 0
        body: bytes | Iterator[bytes] | None
        if req.path.startswith("/api/blobs/"):
            # A model's file: it is passed on in pieces and never held. `ollama create` sends
            # it in chunks; meinheld has refused what is too large for its spool.
            stream = req.env["wsgi.input"] if untold(req) else req.bounded_stream
            some = size or untold(req)
            body = iter(lambda: stream.read(PIECE), b"") if some else None
        else:
            body = whole_body(req, self._max_body, TOO_LARGE) or None
            size = len(body or b"")
        headers = [("content-type", req.content_type or "application/json"), *link.auth]
        response = self._connector.request(
            link.origin,
            req.method,
            link.path(req.path),
            headers,
            body,
            link.timers,
            client_fd=self._waiter.client_fd(env),
            pool=link.pool,
            length=size if size else -1,
        )
        status = response.status
        resp.status = STATUS_LINES.get(status, f"{status} Unknown")
        for name, value in response.headers:
            if name == "content-type":
                resp.set_header(name, value)
        resp.set_header("x-pihub-request-id", env["pihub.rid_hex"])
        resp.set_header("x-pihub-route", link.name)
        resp.stream = _Pieces(response)


class _Pieces:
    """A response's body, progress lines as they come; gives the connection back."""

    def __init__(self, response: Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data = self._response.read_some()
        if not data:
            raise StopIteration
        return data

    def close(self) -> None:
        self._response.close()
