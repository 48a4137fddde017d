"""The composition of the control process: services, admin API, page, its server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.server import create_server

from pihub.dashboard.pages import pages
from pihub.http.control.service import run_control

if TYPE_CHECKING:
    from pihub.app import Hub

THREADS = 24
"""Requests at once; live pages hold one each (at most 16). RAM: about 100 KiB a thread."""


def run(hub: Hub, slot: int, listener: socket.socket, stop: threading.Event) -> None:
    """Blocks until `stop`, then stores what is left."""
    hub.state.process_began(slot)
    add = partial(pages, stop=stop)
    run_control(
        hub.settings,
        hub.state,
        hub.health,
        listener,
        stop,
        serve,
        pages=add,
        previous=hub.previous,
    )


def serve(
    app: Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]],
    listener: socket.socket,
    stop: threading.Event,
) -> None:
    """waitress on the inherited unix socket until `stop` is set."""
    server = create_server(
        app,
        sockets=[listener],
        threads=THREADS,
        ident=None,
        channel_timeout=60,
        max_request_body_size=1024 * 1024,
        expose_tracebacks=False,
    )
    try:
        while not stop.is_set():
            wasyncore.loop(timeout=0.5, map=server._map, count=1)
    finally:
        server.task_dispatcher.shutdown()
