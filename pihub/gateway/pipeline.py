"""The order in which a chat is handled: data, one reason a line.

A stage sets what its name says on the Exchange and raises PihubError to refuse. The
next stage does not know what the one before it did beyond those fields.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import monotonic_ns

from pihub.errors import ClientGone, Internal, PihubError
from pihub.gateway.admit import Admit
from pihub.gateway.call import Call
from pihub.gateway.exchange import Exchange, Incoming, Reply, Stage
from pihub.gateway.inspect import Inspect
from pihub.gateway.lookup import Lookup
from pihub.gateway.record import Recorder
from pihub.gateway.remember import Remember
from pihub.gateway.render import Render
from pihub.gateway.route import Router

log = logging.getLogger("pihub.gateway")


@dataclass(frozen=True)
class Stages:
    """The pipeline's parts, built by the composition root."""

    admit: Admit
    inspect: Inspect
    lookup: Lookup
    route: Router
    call: Call
    render: Render
    remember: Remember
    record: Recorder

    def in_order(self) -> tuple[Stage, ...]:
        """Their durations go into the series `TIMED` of record.py, in this order."""
        return (
            self.admit,  # bound the work in flight before anything is parsed
            self.inspect,  # what it is about; refuse what is malformed
            self.lookup,  # a kept answer, or one in flight, costs nothing
            self.route,  # which targets, in which order
            self.call,  # the only slow line: until the first content byte
            self.render,  # the answer in the client's own protocol
            self.remember,  # complete answers only, under both keys
        )


class Pipeline:
    """Runs the stages for one request at a time; holds no state of requests."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages.in_order()
        self._admit = stages.admit
        self._lookup = stages.lookup
        self._record = stages.record

    def handle(self, request: Incoming) -> Reply:
        """Never raises: an error is rendered in the client's own protocol."""
        x = Exchange(request)
        mark = x.marks.append
        try:
            for stage in self._stages:
                stage(x)
                mark(monotonic_ns())
            reply = x.reply
            if reply is None:
                raise Internal("the pipeline made no answer")
        except PihubError as error:
            return self._fail(x, error)
        except Exception as error:
            log.exception("request %s failed", request.rid_hex)
            return self._fail(x, Internal("the hub failed; its log knows why"), error)
        if type(reply.body) is bytes:
            x.bytes_out = len(reply.body)
            self.finish(x)
        return reply

    def finish(self, x: Exchange) -> None:
        """After the last byte: free what was held, write the record."""
        self._lookup.release(x)
        self._admit.release(x)
        self._record(x)

    def _fail(self, x: Exchange, error: PihubError, cause: Exception | None = None) -> Reply:
        x.error = error
        x.client_gone = isinstance(error, ClientGone)
        if error.detail:
            log.info("request %s: %s: %s", x.request.rid_hex, error.code, error.detail)
        status, headers, body = x.request.client.error(error, x.request.rid_hex)
        headers = [*headers, *self._record.headers(x)]
        x.bytes_out = len(body)
        self.finish(x)
        return Reply(status, headers, body)
