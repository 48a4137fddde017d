"""The first engine: meinheld's event loop with one greenlet a request."""

from __future__ import annotations

import logging
import os
import resource
from time import monotonic
from types import TracebackType
from typing import Any

from gunicorn.workers.base import Worker
from meinheld import server

from pihub.domain.ports import Waiter
from pihub.errors import TooLarge
from pihub.http.data.control import MAX_BODY as CONTROL_BYTES
from pihub.protocols.registry import CLIENTS
from pihub.server.fixed_headers import fixed_headers, lines
from pihub.server.waiter_meinheld import MeinheldWaiter
from pihub.server.worker_base import HubWorker
from pihub.settings.sizes import parse_size

SPARE_FDS = 256
"""Descriptors beside the connections: arena, eventfds, listeners, timers, logs."""
BODY_IN_MEMORY = 1024 * 1024
"""Bytes of a request body that are held in memory; larger ones go to a temporary file."""
BODY_SLACK = 2
"""Each route refuses bodies above its own limit in the client's own error format; the
server's bare 413 only stops those that are absurdly larger than the largest of them."""

OLLAMA = "/api/"

log = logging.getLogger("pihub.server")


def too_large(most: int) -> bytes:
    """What an Ollama client reads of that 413: above all `ollama create`, whose files this engine
    cannot pass on in pieces."""
    error = TooLarge(
        f"the body is larger than this hub takes: {most >> 20} MiB, twice the largest of its "
        'limits (limits.body); a model\'s file of any size passes with server.engine = "gthread"'
    )
    return CLIENTS["ollama"]().error(error, "")[2]


class ErrorLog:
    """meinheld reports what an application raised by (type, value, traceback)."""

    def error(self, kind: type[BaseException], value: Any, trace: TracebackType | None) -> None:
        exc = value if isinstance(value, BaseException) else kind(value)
        log.error("unhandled exception in a request", exc_info=(kind, exc, trace))


class MeinheldHubWorker(HubWorker, Worker):  # type: ignore[misc]  # untyped base
    """Serves through `server.run`, which returns when a drain is complete."""

    _leave_at = 0.0

    def make_waiter(self) -> Waiter:
        return MeinheldWaiter(self.kernel)

    def run(self) -> None:
        # a connection needs at most two descriptors: its own and a follower's eventfd
        # or an upstream's socket; a descriptor above the loop's table would never fire
        limit = 2 * self.cfg.worker_connections + SPARE_FDS
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        server.set_picoev_max_fd(limit)
        server.set_access_logger(None)
        server.set_error_logger(ErrorLog())
        server.set_keepalive(self.cfg.keepalive)
        server.set_max_content_length(self.max_body())
        server.set_too_large(OLLAMA, too_large(self.max_body()))
        server.set_client_body_buffer_size(BODY_IN_MEMORY)
        limits = self.hub.settings.limits
        server.set_patience(
            head=limits.head_seconds, body=limits.body_seconds, write=limits.write_seconds
        )
        server.set_limits(
            head=parse_size(limits.header),
            per_source=limits.connections_per_source,
            spared=self.spared,
        )
        server.set_headers(lines(fixed_headers(self.hub.settings)))
        server.set_watchdog(self.watch)
        server.set_listen_socket([sock.fileno() for sock in self.sockets])
        for loop in self.hub.background():
            server.spawn(loop)
        server.spawn(self.report_ready)
        if self.alive:
            server.run(self.wsgi)

    def max_body(self) -> int:
        """Of a request, in bytes, for the server's own bound."""
        settings = self.hub.settings
        sizes = [settings.limits.body, *(one.max_body for one in settings.webhooks.values())]
        return min(max(*map(parse_size, sizes), CONTROL_BYTES) * BODY_SLACK, 2**31 - 1)

    def watch(self) -> None:
        """Called by the loop once a second, outside of any greenlet."""
        self.tick()
        if not self.alive or os.getppid() != self.ppid:
            self.handle_exit(0, None)

    def handle_exit(self, sig: int, frame: object) -> None:
        """TERM: no new connections; what is open may end within the bound.

        Repeated by `watch`, because a signal that arrives just before the loop starts
        finds nothing to drain.
        """
        if self.alive:
            self.alive = False
            self._leave_at = monotonic() + self.grace()
        server.drain(max(self._leave_at - monotonic(), 0.0))
        for listener in self.sockets:
            # now, not at the end of the drain: an open copy keeps the port accepting
            listener.close()

    def handle_quit(self, sig: int, frame: object) -> None:
        """QUIT: at once."""
        os._exit(0)
