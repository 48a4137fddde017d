"""The chat endpoints: one resource, three client formats."""

from __future__ import annotations

import falcon

from pihub.domain.ports import ClientFormat, Waiter
from pihub.domain.target import Principal
from pihub.errors import BadRequest
from pihub.gateway.exchange import Incoming, Reply
from pihub.gateway.pipeline import Pipeline

VENDOR_HEADERS = ("anthropic-version", "anthropic-beta")
"""What a same-protocol upstream gets of the client's own header fields."""


class ChatResource:
    """POST of one protocol's chat request. The edge has authenticated it already."""

    def __init__(
        self, client: ClientFormat, route: int, pipeline: Pipeline, waiter: Waiter
    ) -> None:
        self._client = client
        self._route = route
        self._pipeline = pipeline
        self._waiter = waiter

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        env = req.env
        body = env.get("pihub.body")
        principal = env.get("pihub.principal")
        if body is None or principal is None:
            raise BadRequest("the request did not come through the edge")
        forward: tuple[tuple[str, str], ...] = ()
        if self._client.name == "anthropic":
            forward = tuple(
                (name, env[key])
                for name in VENDOR_HEADERS
                if (key := "HTTP_" + name.upper().replace("-", "_")) in env
            )
        reply = self._pipeline.handle(
            Incoming(
                client=self._client,
                route=self._route,
                body=body,
                principal=Principal(*principal),
                rid=env["pihub.rid"],
                rid_hex=env["pihub.rid_hex"],
                t0_ns=env["pihub.t0"],
                client_fd=self._waiter.client_fd(env),
                exact=env.get("pihub.exact"),
                wish_header=env.get("HTTP_X_PIHUB_CACHE"),
                forward=forward,
            )
        )
        send(reply, resp)


def send(reply: Reply, resp: falcon.Response) -> None:
    """A reply into Falcon's response; Falcon never touches the body."""
    resp.status = reply.status
    for name, value in reply.headers:
        resp.set_header(name, value)
    if isinstance(reply.body, bytes):
        resp.data = reply.body
    else:
        resp.stream = reply.body
