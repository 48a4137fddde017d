"""/admin and /dashboard: passed on to the control process, which may be slow or down."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import falcon

from pihub.domain.http_fields import HOP_BY_HOP
from pihub.domain.ports import Waiter
from pihub.errors import ClientGone, ControlUnavailable, UpstreamError
from pihub.http.data.whole_body import whole_body
from pihub.settings.schema import Pool, Timers
from pihub.upstream.connector.connector import Connector
from pihub.upstream.connector.origin import Origin
from pihub.upstream.connector.response import Response

PASSED = {
    "HTTP_ACCEPT": "accept",
    "HTTP_ACCEPT_ENCODING": "accept-encoding",
    "HTTP_COOKIE": "cookie",
    "HTTP_AUTHORIZATION": "authorization",
    "HTTP_IDEMPOTENCY_KEY": "idempotency-key",
    "HTTP_IF_MATCH": "if-match",
    "HTTP_IF_NONE_MATCH": "if-none-match",
    "HTTP_LAST_EVENT_ID": "last-event-id",
    "HTTP_ORIGIN": "origin",
    "HTTP_SEC_FETCH_SITE": "sec-fetch-site",
    "HTTP_USER_AGENT": "user-agent",
    "HTTP_X_API_KEY": "x-api-key",
    "HTTP_X_CSRF_TOKEN": "x-csrf-token",
    "HTTP_X_FORWARDED_FOR": "x-pihub-told-for",
    "HTTP_X_FORWARDED_PROTO": "x-pihub-told-proto",
    "CONTENT_TYPE": "content-type",
}
TIMERS = Timers(connect=2.0, headers=30.0, first_byte=30.0, idle=60.0, total=86400.0)
POOL = Pool(size=32, idle=30.0)
MAX_BODY = 1024 * 1024


class ControlProxy:
    """The sink for both prefixes; who may do what is the control process's business."""

    def __init__(
        self,
        connector: Connector,
        socket_path: str,
        waiter: Waiter,
        leaving: Callable[[], bool],
    ) -> None:
        """`leaving`: whether this worker drains; a page's endless stream ends then."""
        self._connector = connector
        self._leaving = leaving
        self._origin, _ = Origin.parse("unix:" + socket_path)
        self._waiter = waiter

    def __call__(self, req: falcon.Request, resp: falcon.Response, **_: object) -> None:
        env = req.env
        headers = [(name, env[key]) for key, name in PASSED.items() if key in env]
        headers.append(("host", env.get("HTTP_HOST", "localhost")))
        headers.append(("x-pihub-forwarded", env.get("REMOTE_ADDR", "") or "local"))
        headers.append(("x-pihub-scheme", env.get("wsgi.url_scheme", "http")))
        headers.append(("x-pihub-request-id", env["pihub.rid_hex"]))
        body = whole_body(req, MAX_BODY, "the body is larger than the admin API accepts (1 MiB)")
        try:
            response = self._connector.request(
                self._origin,
                req.method,
                _target(req),
                headers,
                body or None,
                TIMERS,
                client_fd=self._waiter.client_fd(env),
                pool=POOL,
            )
        except UpstreamError as error:
            raise ControlUnavailable(
                "the control process does not answer; the gateway itself goes on",
                detail=error.detail or error.message,
                retry_after=1,
            ) from error
        resp.status = response.status
        for name, value in response.headers:
            if name not in HOP_BY_HOP:
                if name == "set-cookie":
                    resp.append_header(name, value)
                else:
                    resp.set_header(name, value)
        resp.stream = _Chunks(response, self._leaving)


def _target(req: falcon.Request) -> str:
    """As the client wrote it: decoded, a `%3F` of the path would begin the query."""
    raw = str(req.env.get("RAW_URI", ""))
    if raw.startswith("/"):
        return raw.partition("#")[0]
    return req.path + ("?" + req.query_string if req.query_string else "")


class _Chunks:
    """A response's body as an iterator that gives its connection back."""

    def __init__(self, response: Response, leaving: Callable[[], bool]) -> None:
        self._response = response
        self._leaving = leaving

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        # Live pages get a chunk a second, so this is looked at often enough.
        endless = self._response.framing in ("chunked", "close")
        try:
            data = b"" if endless and self._leaving() else self._response.read_some()
        except ClientGone:  # a live page was closed: nothing is wrong, nobody is to be told
            data = b""
        if not data:
            raise StopIteration
        return data

    def close(self) -> None:
        self._response.close()
