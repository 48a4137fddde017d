"""The chat endpoints: one WSGI callable, three client formats.

They stand beside Falcon, not behind it: a chat needs no router, no request and no
response object, and those cost as much as the rest of a passed-through chat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Protocol

from pihub.domain.ports import ClientFormat, Waiter
from pihub.domain.target import Principal
from pihub.errors import MethodNotAllowed, PihubError
from pihub.gateway.exchange import Incoming
from pihub.gateway.pipeline import Pipeline
from pihub.shared.traces import TraceLog
from pihub.shared.traces import parse as parse_trace

VENDOR_HEADERS = (
    ("anthropic-version", "HTTP_ANTHROPIC_VERSION"),
    ("anthropic-beta", "HTTP_ANTHROPIC_BETA"),
)
"""What a same-protocol upstream gets of the client's own header fields."""

STATUS_LINES = {s.value: f"{s.value} {s.phrase}" for s in HTTPStatus} | {
    499: "499 Client Closed Request",
    529: "529 Overloaded",
}

class Deferred(Protocol):
    """http/data/jobs.py"""

    def answer(
        self, request: Incoming, deadline: str
    ) -> tuple[int, list[tuple[str, str]], bytes]: ...


WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class ChatEndpoint:
    """POST of one protocol's chat request. The edge has authenticated it already."""

    def __init__(
        self,
        client: ClientFormat,
        route: int,
        pipeline: Pipeline,
        waiter: Waiter,
        traces: TraceLog | None = None,
        deferred: Deferred | None = None,
    ) -> None:
        self._deferred = deferred
        self._traces = traces
        self._client = client
        self._route = route
        self._handle = pipeline.handle
        self._client_fd = waiter.client_fd
        self._vendor = VENDOR_HEADERS if client.name == "anthropic" else ()

    def __call__(
        self, env: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        principal = env.get("pihub.principal")
        if principal is None:
            return self._refuse(env, start_response)
        forward = (
            tuple([(name, env[key]) for name, key in self._vendor if key in env])
            if self._vendor
            else ()
        )
        request = Incoming(
            self._client,
            self._route,
            env["pihub.body"],
            Principal(*principal),
            env["pihub.rid"],
            env["pihub.rid_hex"],
            env["pihub.t0"],
            client_fd=self._client_fd(env),
            exact=env.get("pihub.exact"),
            wish_header=env.get("HTTP_X_PIHUB_CACHE"),
            forward=forward,
            begun=env.get("pihub.begun"),
            address=env.get("REMOTE_ADDR", ""),
            policy=env.get("HTTP_X_PIHUB_POLICY"),
            deadline_ms=env.get("HTTP_X_PIHUB_DEADLINE_MS"),
            once=env.get("HTTP_IDEMPOTENCY_KEY"),
            trace=self._trace(env) if "HTTP_TRACEPARENT" in env else (),
            coding=env.get("HTTP_CONTENT_ENCODING"),
        )
        if "HTTP_X_PIHUB_OFFLINE" in env:
            request.offline = env["HTTP_X_PIHUB_OFFLINE"]
        if "HTTP_X_PIHUB_WEBHOOK" in env:
            request.webhook = env["HTTP_X_PIHUB_WEBHOOK"]
        if self._deferred is not None and "HTTP_X_PIHUB_DEADLINE" in env:
            return self._defer(request, env, start_response)
        reply = self._handle(request)
        body = reply.body
        if isinstance(body, bytes):
            reply.headers.append(("content-length", str(len(body))))
            start_response(STATUS_LINES[reply.status], reply.headers)
            return (body,)
        try:
            start_response(STATUS_LINES[reply.status], reply.headers)
        except BaseException:
            # The server has never seen the body, so nobody else will close it.
            close = getattr(body, "close", None)
            if close is not None:
                close()
            raise
        return body

    def _defer(
        self, request: Incoming, env: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """The answer may come later: 202 and where to ask for it."""
        assert self._deferred is not None
        status, headers, body = self._deferred.answer(request, env["HTTP_X_PIHUB_DEADLINE"])
        headers.append(("content-length", str(len(body))))
        start_response(STATUS_LINES[status], headers)
        return (body,)

    def _trace(self, env: dict[str, Any]) -> tuple[tuple[str, str], ...]:
        """The client's trace, for the upstream with the hub's span as parent; and for the
        exporter, which sees the request's record only."""
        trace = parse_trace(env["HTTP_TRACEPARENT"])
        if trace is None:
            return ()
        if self._traces is not None:
            self._traces.push(env["pihub.slot"], env["pihub.rid"], trace)
        found = (("traceparent", trace.child(env["pihub.rid_hex"])),)
        state = env.get("HTTP_TRACESTATE")
        return (*found, ("tracestate", state)) if state else found

    def _refuse(
        self, env: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Anything but a POST: the edge passes those on unauthenticated."""
        method = env["REQUEST_METHOD"]
        error: PihubError = MethodNotAllowed(f"{method} is not allowed here, POST is")
        rid = env["pihub.rid_hex"]
        status, headers, body = self._client.error(error, rid)
        headers = [*headers, ("allow", "POST"), ("x-pihub-request-id", rid)]
        headers.append(("content-length", str(len(body))))
        start_response(STATUS_LINES[status], headers)
        return () if method == "HEAD" else (body,)


class Front:
    """Chats to their endpoints, everything else to Falcon."""

    def __init__(self, chats: dict[str, ChatEndpoint], rest: WSGI) -> None:
        self._chats = chats
        self._rest = rest

    def __call__(
        self, env: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        chat = self._chats.get(env["PATH_INFO"])
        if chat is not None:
            return chat(env, start_response)
        return self._rest(env, start_response)
