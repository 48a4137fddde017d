"""The sink of one `[apis.NAME]`: Falcon's request to the middleware and back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import falcon

from pihub.domain.ports import Waiter
from pihub.domain.target import Principal
from pihub.errors import (
    BadRequest,
    ClientGone,
    Internal,
    PihubError,
    TooLarge,
    UnsupportedCoding,
)
from pihub.gateway.api import ApiAnswer, ApiProxy
from pihub.gateway.api.paging import paged, pages
from pihub.gateway.api.record import ApiRecorder
from pihub.gateway.intake import undone
from pihub.http.data.chat import STATUS_LINES
from pihub.security.scanner.judge import TOO_LARGE, Judge, place_of
from pihub.settings.schema import Api
from pihub.shared.access import Access

WHOLE = 256 * 1024
"""Request bodies up to this size are sent as they are, larger ones in pieces."""
PIECE = 64 * 1024
SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'"


Body = bytes | Iterator[bytes] | None


class ApiSink:
    """Every method and path below the API's prefix."""

    def __init__(
        self,
        settings: Api,
        proxy: ApiProxy,
        record: ApiRecorder,
        access: Access,
        waiter: Waiter,
        judge: Judge,
        max_body: int,
        name: str = "",
    ) -> None:
        self._prefix = settings.prefix.rstrip("/")
        self._auth = settings.auth
        self._paging = settings.paging
        self._name = name
        self._proxy = proxy
        self._record = record
        self._access = access
        self._waiter = waiter
        self._judge = judge
        self._max_body = max_body

    def __call__(self, req: falcon.Request, resp: falcon.Response, **_: object) -> None:
        env = req.env
        principal = Principal()
        answer: ApiAnswer | None = None
        # A server that does not gather a chunked body first (gunicorn's) tells no length.
        chunked = "chunked" in env.get("HTTP_TRANSFER_ENCODING", "").lower()
        size = 0 if chunked else req.content_length or 0
        try:
            if self._auth:
                principal = self._access.principal(
                    env.get("HTTP_AUTHORIZATION"), env.get("HTTP_X_API_KEY")
                )
                self._access.hit(principal)
                self._access.permit(principal, env.get("REMOTE_ADDR", ""), api=self._name)
            if size > self._max_body:
                raise TooLarge("the body is larger than the hub accepts (limits.body)")
            path, _question, query = env.get("RAW_URI", req.path).partition("?")
            body: Body = None
            wish = env.get("HTTP_X_PIHUB_PAGES") if req.method == "GET" else None
            if wish is None:
                body = self._pieces(env["wsgi.input"].read) if chunked else self._body(req, size)
                body, chunked, size = self._judged(env, principal, body, chunked, size)

            def ask(query: str, body: Any, asked: list[tuple[str, str]]) -> ApiAnswer:
                return self._proxy.handle(
                    req.method,
                    self._rest(path),
                    query,
                    asked,
                    body,
                    self._waiter.client_fd(env),
                    principal.tenant,
                    env["pihub.rid_hex"],
                    time.time(),
                    client_address=env.get("REMOTE_ADDR", ""),
                    scheme=env.get("wsgi.url_scheme", "http"),
                    body_length=-1 if chunked else size,
                )

            if wish is None:
                answer = ask(query, body, fields(env))
            else:
                answer = self._walk(ask, query, pages(wish), fields(env), principal)
        except PihubError as error:
            self._finish(req, principal, None, error, size)
            raise
        except Exception:
            self._finish(req, principal, None, Internal("the hub failed"), size)
            raise
        resp.status = STATUS_LINES.get(answer.status, f"{answer.status} Unknown")
        for name, value in answer.headers:
            resp.append_header(name, value)
        # What an API answers is shown under the hub's own origin: it must not run there as a
        # page that the dashboard's login belongs to. Beside a policy of its own, not instead:
        # browsers enforce each, and the API's may allow everything.
        resp.append_header("content-security-policy", SANDBOX)
        resp.set_header("x-pihub-request-id", env["pihub.rid_hex"])
        if answer.length >= 0:
            resp.set_header("content-length", str(answer.length))
        if isinstance(answer.body, bytes):
            resp.data = answer.body
            self._finish(req, principal, answer, None, size)
        else:
            resp.stream = _Recorded(self, req, principal, answer, size)

    def _walk(
        self,
        ask: Callable[..., ApiAnswer],
        query: str,
        most: int,
        asked: list[tuple[str, str]],
        principal: Principal,
    ) -> ApiAnswer:
        """All pages as one stream; each counts as a request of the key."""
        # Read here, so uncoded; and whole, so without conditions or ranges.
        left_out = ("accept-encoding", "if-none-match", "if-modified-since", "range")
        plain = [(name, value) for name, value in asked if name not in left_out]

        def one(query: str) -> ApiAnswer:
            if self._auth:
                self._access.hit(principal)
            self._judge.query(query, self._prefix, principal)
            return ask(query, None, plain)

        return paged(ask(query, None, plain), one, query, self._paging, most)

    def _rest(self, path: str) -> str:
        """The raw path below the prefix."""
        if not path.startswith(self._prefix):
            raise BadRequest("the API's prefix must not be percent-encoded")
        return path[len(self._prefix) :]

    def _body(self, req: falcon.Request, size: int) -> bytes | Iterator[bytes] | None:
        if not size:
            return None
        if size <= WHOLE:
            data = req.bounded_stream.read(size)
            if len(data) < size:
                # Cut short by its client: half a request must not be acted upon.
                raise ClientGone("the client closed its connection")
            return data
        return iter(lambda: req.bounded_stream.read(PIECE), b"")

    def _judged(
        self, env: dict[str, Any], principal: Principal, body: Body, chunked: bool, size: int
    ) -> tuple[Body, bool, int]:
        """The body after the scanner saw all of it, if it is of a kind that it judges.

        Raises InputRefused; TooLarge for one that is too long to be judged: nothing is judged in
        part. Files that are only noted about go on, with a note that nobody looked.
        """
        path = env["PATH_INFO"]
        kind = self._judge.takes_body(path, env.get("CONTENT_TYPE", ""))
        if body is None or not kind:
            return body, chunked, size
        if self._judge.too_large(size, kind, path):
            raise TooLarge(TOO_LARGE)
        if not isinstance(body, bytes):
            free = kind == "multipart" and not self._judge.whole(kind, path)
            if free and (chunked or size > self._judge.max_body):
                self._judge.unseen(size, path, principal)
                return body, chunked, size
            parts, said, size = [], 0 if chunked else size, 0
            for piece in body:
                parts.append(piece)
                size += len(piece)
                if self._judge.too_large(size, kind, path):
                    raise TooLarge(TOO_LARGE)
            if size < said:
                raise ClientGone("the client closed its connection")
            body, chunked = b"".join(parts), False
        self._judge.body(self._readable(env, body, kind, principal), kind, path, principal)
        return body, chunked, size

    def _readable(
        self, env: dict[str, Any], body: bytes, kind: str, principal: Principal
    ) -> bytes:
        """What the scanner reads: the body without its content coding. The upstream gets it
        as it came. Raises TooLarge, and UnsupportedCoding where it may have to be blocked."""
        coding, path = env.get("HTTP_CONTENT_ENCODING"), env["PATH_INFO"]
        if coding is None:
            return body
        try:
            plain = undone(body, coding, self._max_body)
        except UnsupportedCoding:
            if self._judge.whole(kind, path):
                raise
            self._judge.unseen(len(body), path, principal, place_of(kind))
            return b""
        if self._judge.too_large(len(plain), kind, path):
            raise TooLarge(TOO_LARGE)
        return plain

    def _pieces(self, read: Callable[[int], bytes]) -> Iterator[bytes]:
        """A body of unknown length. Raises TooLarge beyond the limit."""
        total = 0
        while data := read(PIECE):
            total += len(data)
            if total > self._max_body:
                raise TooLarge("the body is larger than the hub accepts (limits.body)")
            yield data

    def _finish(
        self,
        req: falcon.Request,
        principal: Principal,
        answer: ApiAnswer | None,
        error: PihubError | None,
        size: int,
    ) -> None:
        self._record(
            rid=req.env["pihub.rid"],
            t0_ns=req.env["pihub.t0"],
            principal=principal,
            answer=answer,
            error=error,
            bytes_in=size,
        )


class _Recorded:
    """A streamed body; its end, its error or its close writes the record, once."""

    def __init__(
        self, sink: ApiSink, req: falcon.Request, principal: Principal, answer: ApiAnswer, size: int
    ) -> None:
        assert not isinstance(answer.body, bytes)
        self._sink = sink
        self._req = req
        self._principal = principal
        self._answer = answer
        self._size = size
        self._body = answer.body
        self._left = answer.length
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            data = next(self._body)
            self._left -= len(data)
            if not self._left:
                # A server that knows the length does not ask for the end of the body:
                # reach it now, so that the answer counts as whole and may be kept.
                next(self._body, None)
                self._end(None)
            return data
        except StopIteration:
            self._end(None)
            raise
        except PihubError as error:
            # The status is sent: the server must cut the connection, not end the body.
            self._end(error)
            raise
        except Exception:
            self._end(Internal("the hub failed"))
            raise

    def close(self) -> None:
        self._end(ClientGone("the client closed its connection"))

    def _end(self, error: PihubError | None) -> None:
        if self._open:
            self._open = False
            self._answer.close()
            self._sink._finish(self._req, self._principal, self._answer, error, self._size)


def fields(env: dict[str, object]) -> list[tuple[str, str]]:
    """The request's header fields; WSGI has joined repeated ones."""
    found = [
        (key[5:].replace("_", "-").lower(), str(value))
        for key, value in env.items()
        if key.startswith("HTTP_")
    ]
    if env.get("CONTENT_TYPE"):
        found.append(("content-type", str(env["CONTENT_TYPE"])))
    return found
