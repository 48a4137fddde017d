"""A client that waits long for its stream's first token hears that it is not forgotten.

A local model may load for minutes, and Ollama sends no byte before its first token; proxies
and clients close connections that are silent for a minute or two. So the slow stages of such
a stream run beside the request (Waiter.spawn). If they take longer than `ping` seconds, the
head of the stream goes out without them, and then a ping each time: a comment for clients of
OpenAI's formats, `event: ping` for Anthropic's. Into NDJSON nothing can be put.

What is known only afterwards (route, cost, warnings) stands in no header of such an answer;
a failure becomes the protocol's error event.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from time import monotonic, monotonic_ns

from pihub.domain.ports import StreamRenderer, Waiter
from pihub.domain.stream import Ping
from pihub.errors import ClientGone, Internal, PihubError
from pihub.gateway.exchange import Exchange, Reply, Stage
from pihub.gateway.render import STREAM_HEADERS

log = logging.getLogger("pihub.gateway")

SSE = "text/event-stream"
NDJSON = ("ollama", "generate")
"""Clients into whose streams nothing can be put."""
SETTLE = 5.0
"""Seconds in which stages notice that the client has left; each wait does in one."""


class Beside:
    """The stages of one exchange, run beside its request.

    Whoever comes last cleans up: the request, or the stages after the request has left.
    RAM: a greenlet or thread, and one eventfd, until they are done.
    """

    def __init__(self, x: Exchange, stages: Sequence[Stage], waiter: Waiter) -> None:
        self._x = x
        self._stages = stages
        self._waiter = waiter
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()
        self._left: Callable[[], None] | None = None
        self.done = False
        self.error: Exception | None = None

    def start(self) -> None:
        self._waiter.spawn(self._run)

    def wait(self, seconds: float) -> bool:
        """Whether they are done. Raises ClientGone."""
        return self._until_done(seconds, self._x.request.client_fd)

    def settle(self) -> bool:
        """The same, for stages whose client has left."""
        return self._until_done(SETTLE, -1)

    def _until_done(self, seconds: float, client_fd: int) -> bool:
        """By `done` alone: the descriptor also wakes for the client, and is read then."""
        deadline = monotonic() + seconds
        while not self.done:
            try:
                self._waiter.wait(self._fd, deadline=deadline, client_fd=client_fd)
            except TimeoutError:
                return self.done
            finally:
                _drain(self._fd)
        return True

    def leave(self, clean_up: Callable[[], None]) -> None:
        """The request is over: `clean_up` now, or as soon as the stages are done."""
        with self._lock:
            if not self.done:
                self._left = clean_up
                return
        clean_up()

    def close(self) -> None:
        with self._lock:  # the stages may be just about to write to it
            fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _run(self) -> None:
        try:
            for stage in self._stages:
                stage(self._x)
                self._x.marks.append(monotonic_ns())
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            self.error = error
        with self._lock:
            self.done = True
            left = self._left
            if left is None:
                os.eventfd_write(self._fd, 1)
        if left is not None:
            left()


class Patience:
    """One worker's. `slow` are the stages that may take long, `rest` those after them."""

    def __init__(
        self,
        waiter: Waiter,
        headers: Callable[[Exchange], list[tuple[str, str]]],
        names: frozenset[str],
        ping: float,
        slow: Sequence[Stage],
        rest: Sequence[Stage],
        finish: Callable[[Exchange], None],
        abandon: Callable[[Exchange], None],
    ) -> None:
        """`names`: the models whose chains hold a local target; `ping`: seconds, 0: never.
        `abandon` stops the upstream and counts its cost, `finish` frees and records."""
        self._waiter = waiter
        self._slow = slow
        self._rest = rest
        self._names = names
        self._headers = headers
        self._finish = finish
        self._abandon = abandon
        self._ping = ping

    def wanted(self, x: Exchange) -> bool:
        """A stream of events that may have to wait for a local model."""
        return (
            bool(self._ping)
            and x.streams
            and x.alias in self._names
            and x.request.client.name not in NDJSON
        )

    def handle(self, x: Exchange) -> Reply | None:
        """The stages; None if they are done in time, else the reply that goes on with them.

        Raises what they raise, and ClientGone.
        """
        beside = Beside(x, self._slow, self._waiter)
        beside.start()
        try:
            if beside.wait(self._ping):
                beside.close()
                if beside.error is not None:
                    raise beside.error
                return None
        except ClientGone:
            # The stages notice it, too, and still use the exchange until then.
            if beside.settle():
                beside.close()
            else:
                self._leave(x, beside)
            raise
        renderer = x.request.client.renderer(x.parsed())
        headers = [("content-type", SSE), *STREAM_HEADERS, *self._headers(x)]
        return Reply(200, headers, WaitingBody(self, x, beside, renderer))

    def _leave(self, x: Exchange, beside: Beside) -> None:
        def clean_up() -> None:
            beside.close()
            x.client_gone = True
            x.error = x.error or ClientGone("the client closed its connection")
            self._abandon(x)
            self._finish(x)

        beside.leave(clean_up)


class WaitingBody:
    """Pings until the stages are done, then the stream itself."""

    def __init__(
        self, patience: Patience, x: Exchange, beside: Beside, renderer: StreamRenderer
    ) -> None:
        self._patience = patience
        self._x = x
        self._beside = beside
        self._renderer = renderer
        self._body: Reply | None = None
        self._over = False
        self._first = True

    def __iter__(self) -> WaitingBody:
        return self

    def __next__(self) -> bytes:
        if self._over:
            raise StopIteration
        if self._body is not None:
            return self._next(self._body)
        if self._first:
            self._first = False
            return self._say()
        try:
            if not self._beside.wait(self._patience._ping):
                return self._say()
            self._beside.close()
            if self._beside.error is not None:
                raise self._beside.error
            for stage in self._patience._rest:
                stage(self._x)
            self._body = self._x.reply
            assert self._body is not None
        except ClientGone:
            self.close()
            raise StopIteration from None
        except PihubError as error:
            return self._fail(error)
        except Exception:
            log.exception("request %s failed", self._x.request.rid_hex)
            return self._fail(Internal("the hub failed; its log knows why"))
        return self._next(self._body)

    def _next(self, reply: Reply) -> bytes:
        if isinstance(reply.body, bytes):
            # The whole answer at once: a kept one, or an upstream that does not stream.
            self._over = True
            self._x.bytes_out += len(reply.body)
            self._patience._finish(self._x)
            return reply.body
        return next(reply.body)

    def _say(self) -> bytes:
        out = self._renderer.feed(Ping(self._x.waiting()))
        self._x.bytes_out += len(out)
        return out

    def _fail(self, error: PihubError) -> bytes:
        """The error event; nothing after it."""
        x = self._x
        self._over = True
        x.error = error
        x.client_gone = isinstance(error, ClientGone)
        out = self._renderer.error(error, x.request.rid_hex)
        x.bytes_out += len(out)
        self._patience._abandon(x)
        self._patience._finish(x)
        return out

    def close(self) -> None:
        """Idempotent: whatever is still under way is stopped and recorded."""
        if self._body is not None and not isinstance(self._body.body, bytes):
            close = getattr(self._body.body, "close", None)
            if close is not None:
                close()
        elif not self._over:
            self._over = True
            self._patience._leave(self._x, self._beside)


def _drain(fd: int) -> None:
    try:
        os.eventfd_read(fd)
    except BlockingIOError:
        pass
