"""The composition of the control process: services, admin API, page, its server."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.server import create_server

from pihub.compose.alerts import teller
from pihub.compose.jobs import ControlJobs
from pihub.compose.local_models import start_local_watch
from pihub.compose.machine import watch as watch_machine
from pihub.compose.offline import start_wan_watch
from pihub.compose.otel import otel_exporter
from pihub.compose.routing import build_preview
from pihub.compose.webhooks import ControlWebhooks
from pihub.dashboard.pages import pages
from pihub.dashboard.sources import Sources
from pihub.http.control.service import run_control
from pihub.ops.configuring import ConfigDesk
from pihub.ops.upstreams import UpstreamDesk

if TYPE_CHECKING:
    from pihub.app import Hub

THREADS = 24
"""Requests at once; live pages hold one each (at most 16). RAM: about 100 KiB a thread."""

PATIENCE = 5.0
"""Seconds for what was learnt to be saved."""


def run(hub: Hub, slot: int, listener: socket.socket, stop: threading.Event) -> None:
    """Blocks until `stop`, then stores what is left."""
    hub.state.process_began(slot)
    local = start_local_watch(hub, stop)
    watch_machine(hub, stop)
    add = partial(
        pages,
        stop=stop,
        sources=lambda services: Sources(services, hub.loaded, hub.prices, hub.state),
    )
    webhooks = ControlWebhooks(hub, serve)
    webhooks.start()
    jobs = ControlJobs(hub, serve)
    wan = start_wan_watch(hub, stop)
    try:
        run_control(
            hub.settings,
            hub.state,
            slot,
            hub.health,
            UpstreamDesk(hub.loaded, hub.health),
            ConfigDesk(hub.loaded, reload),
            listener,
            stop,
            serve,
            pages=add,
            previous=hub.previous,
            webhooks=webhooks.desk,
            exporter=otel_exporter(hub),
            tell=teller(webhooks, hub.settings.server.public_url),
            jobs=partial(jobs.start, slot),
            wan=wan,
            preview=build_preview(hub, slot),
        )
    finally:
        wan.wake()
        jobs.finish()
        webhooks.finish()
        if local is not None:
            local.join(PATIENCE)


def reload() -> None:
    """The arbiter, this process's parent, reads code and configuration again."""
    os.kill(os.getppid(), signal.SIGHUP)


def serve(
    app: Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]],
    listener: socket.socket,
    stop: threading.Event,
    *,
    threads: int = THREADS,
    largest: int = 1024 * 1024,
) -> None:
    """waitress on a listening unix socket until `stop` is set; bodies up to `largest` bytes."""
    server = create_server(
        app,
        sockets=[listener],
        threads=threads,
        ident=None,
        channel_timeout=60,
        max_request_body_size=largest,
        expose_tracebacks=False,
    )
    try:
        while not stop.is_set():
            wasyncore.loop(timeout=0.5, use_poll=True, map=server._map, count=1)
    finally:
        server.task_dispatcher.shutdown()
