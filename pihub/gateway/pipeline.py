"""The order in which a chat is handled: data, one reason a line.

A stage sets what its name says on the Exchange and raises PihubError to refuse. The
next stage does not know what the one before it did beyond those fields.

Chats that merely pass through do not come here: the core's lane answers them. A stage
that must see every chat says so in plain.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic_ns

from pihub.errors import ClientGone, Internal, PihubError
from pihub.gateway.admit import Admit
from pihub.gateway.call import Call
from pihub.gateway.exchange import Exchange, Incoming, Reply, Stage
from pihub.gateway.inspect import Inspect
from pihub.gateway.learn import Learner
from pihub.gateway.lookup import Lookup
from pihub.gateway.patience import Patience
from pihub.gateway.purse import Purse
from pihub.gateway.record import Recorder
from pihub.gateway.remember import Remember
from pihub.gateway.render import Render
from pihub.gateway.route import Router
from pihub.gateway.semantic import Semantic
from pihub.gateway.thoughts import Thoughts
from pihub.gateway.track import Tracking

FIRST, LAST = 2, 5
"""The stages that may take long: lookup (another's answer), route and call."""
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
    learn: Learner | None = None
    """Learns from finished answers."""
    thoughts: Thoughts | None = None
    """Learns who signed the answer's thinking; `route` and `call` ask."""
    patience: Callable[..., Patience] | None = None
    """Made with the stages that it runs, what comes after them, `finish` and `abandon`."""
    purse: Purse | None = None
    """Settles when the request is over; `call` takes."""
    later: Callable[[Exchange, PihubError], Reply | None] | None = None
    """Makes a job of what could not be sent, where that is wished for."""
    semantic: Semantic | None = None
    """Learns the questions of answers that were kept; `lookup` asks."""
    tracking: Tracking | None = None
    """Gives back what `call` and `render` opened."""

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
        # Bound methods: calling an object costs a frame of C more than calling a function.
        self._stages: tuple[Stage, ...] = tuple(
            [stage.__call__ for stage in stages.in_order()]  # type: ignore[operator]
        )
        self.stages = stages
        self._patience: Patience | None = None
        if stages.patience is not None:
            slow, rest = self._stages[FIRST:LAST], self._stages[LAST:]
            self._patience = stages.patience(slow, rest, self.finish, self._abandon)
        self._remember = stages.remember
        self._record = stages.record
        last = [stages.lookup.release, stages.admit.release, stages.record.__call__]
        if stages.learn is not None:
            last.append(stages.learn.__call__)
        if stages.thoughts is not None:
            last.append(stages.thoughts.learn)
        if stages.semantic is not None:
            last.append(stages.semantic.learn)
        if stages.purse is not None:
            last.insert(0, stages.purse.settle)
        if stages.tracking is not None:
            last.append(stages.tracking.end)
        self._last = tuple(last)

    def handle(self, request: Incoming, x: Exchange | None = None) -> Reply:
        """Never raises: an error is rendered in the client's own protocol. `x`: of a request
        that the hub itself makes."""
        x = x or Exchange(request)
        mark = x.marks.append
        stages = self._stages
        try:
            if self._patience is not None:
                for stage in stages[:FIRST]:
                    stage(x)
                    mark(monotonic_ns())
                if not x.refreshes and self._patience.wanted(x):
                    early = self._patience.handle(x)
                    if early is not None:
                        return early
                    stages = stages[LAST:]
                else:
                    stages = stages[FIRST:]
            for stage in stages:
                stage(x)
                mark(monotonic_ns())
            reply = x.reply
            if reply is None:
                raise Internal("the pipeline made no answer")
        except PihubError as error:
            return self._later(x, error) or self._fail(x, x.error or error)
        except Exception:
            log.exception("request %s failed", request.rid_hex)
            return self._fail(x, Internal("the hub failed; its log knows why"))
        if type(reply.body) is bytes:
            x.bytes_out = len(reply.body)
            self.finish(x)
        return reply

    def refresh(self, x: Exchange) -> bool:
        """For an answer that nobody waits for: whether there was a whole one. Never raises."""
        body = self.handle(x.request, x).body
        if not isinstance(body, bytes):
            try:
                for _ in body:
                    pass
            finally:
                body.close()  # type: ignore[attr-defined]
        return x.answer is not None and x.error is None

    def finish(self, x: Exchange) -> None:
        """After the last byte, once: free what was held, write the record. Never raises."""
        if x.finished:
            return
        x.finished = True
        x.drop_begun()
        for last in self._last:
            try:
                last(x)
            except Exception:
                # One defect must not keep the others from being freed, nor take away
                # an answer that is already made.
                log.exception("request %s could not be finished", x.request.rid_hex)

    def _later(self, x: Exchange, error: PihubError) -> Reply | None:
        """Sets `error` if making a job of it failed."""
        later = self.stages.later
        if later is None:
            return None
        try:
            reply = later(x, error)
        except PihubError as failed:
            x.error = failed
            return None
        if reply is not None:
            assert type(reply.body) is bytes
            x.bytes_out = len(reply.body)
            self.finish(x)
        return reply

    def _fail(self, x: Exchange, error: PihubError) -> Reply:
        x.error = error
        x.client_gone = isinstance(error, ClientGone)
        if error.detail:
            log.info("request %s: %s: %s", x.request.rid_hex, error.code, error.detail)
        try:
            status, headers, body = x.request.client.error(error, x.request.rid_hex)
            headers = [*headers, *self._record.headers(x)]
            x.bytes_out = len(body)
            return Reply(status, headers, body)
        finally:
            self._abandon(x)
            self.finish(x)

    def _abandon(self, x: Exchange) -> None:
        """Stop the upstream, count what it has cost."""
        try:
            held = x.reply.body if x.reply is not None else x.pieces
            close = getattr(held, "close", None)
            if close is not None:
                close()
            self._remember.price_failed(x)
        except Exception:
            log.exception("request %s could not be abandoned", x.request.rid_hex)
