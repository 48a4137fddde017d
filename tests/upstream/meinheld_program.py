"""A meinheld worker whose every request is passed on by the connector.

    python tests/upstream/meinheld_program.py UPSTREAM_URL

Prints its port. The query names timers (`idle=0.3`), the pool's size (`size=2`), and
the bytes of a body to send (`send=5000000`).
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
import time
from typing import Any

from meinheld import server

from pihub.errors import PihubError
from pihub.server.kernel import Kernel
from pihub.server.waiter_meinheld import MeinheldWaiter
from pihub.settings.schema import Pool, Timers
from pihub.upstream.connector import Connector, Origin
from tests.upstream.waiter import TableResolver

waiter = MeinheldWaiter(Kernel())
connector = Connector(waiter, TableResolver())
origin, _ = Origin.parse(sys.argv[1])


def app(environ: dict[str, Any], start_response: Any) -> Any:
    query = dict(p.split("=") for p in environ["QUERY_STRING"].split("&") if p)
    path = environ["PATH_INFO"]
    begin = time.monotonic()
    told: dict[str, object] = {}
    if path == "/stats":
        told = {"pool": connector.stats(), "fds": len(os.listdir("/proc/self/fd"))}
        return reply(start_response, told)
    timers = Timers(**{n: float(query[n]) for n in Timers.__struct_fields__ if n in query})
    body = b"x" * int(query["send"]) if "send" in query else None
    try:
        answer = connector.request(
            origin,
            "POST" if body else "GET",
            path,
            [],
            body,
            timers,
            client_fd=waiter.client_fd(environ),
            pool=Pool(size=int(query.get("size", 300))),
        )
        if path == "/stream":
            start_response("200 OK", [("content-type", "text/event-stream")])
            return iter(answer)
        told = {"status": answer.status, "body": answer.read_all(1 << 20).decode()}
    except PihubError as error:
        told = {"error": error.code, "timer": getattr(error, "timer", "")}
    told["seconds"] = time.monotonic() - begin
    return reply(start_response, told)


def reply(start_response: Any, told: dict[str, object]) -> list[bytes]:
    data = json.dumps(told).encode()
    start_response("200 OK", [("content-length", str(len(data)))])
    return [data]


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setblocking(False)
    signal.signal(signal.SIGTERM, lambda *_: server.drain(2))
    server.set_picoev_max_fd(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    server.set_listen_socket([listener.fileno()])
    print(listener.getsockname()[1], flush=True)
    server.run(app)


if __name__ == "__main__":
    main()
