"""A worker without a hub: serves waits over HTTP so that tests can judge the waiters.

    python tests/server/waiter_program.py meinheld

Prints its port. Each path is one kind of wait; answers say what happened and how long
it took, in JSON.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from meinheld import server

from pihub.errors import ClientGone
from pihub.server.kernel import Kernel
from pihub.server.waiter_meinheld import MeinheldWaiter

waiter = MeinheldWaiter(Kernel())
events: list[str] = []


def connecting() -> tuple[socket.socket, list[socket.socket]]:
    """A socket whose handshake cannot end: the listener's queue is full."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    keep = [listener]
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
        keep.append(sock)
    return keep.pop(), keep


def wait_read(query: dict[str, str], client: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        waiter.wait(ours.fileno(), deadline=time.monotonic() + float(query["s"]), client_fd=client)


def wait_write(query: dict[str, str], client: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        try:
            while True:
                ours.send(b"x" * 65536)
        except BlockingIOError:
            pass
        waiter.wait(
            ours.fileno(),
            write=True,
            deadline=time.monotonic() + float(query["s"]),
            client_fd=client,
        )


def wait_connect(query: dict[str, str], client: int) -> None:
    sock, keep = connecting()
    with sock:
        waiter.wait(
            sock.fileno(),
            write=True,
            deadline=time.monotonic() + float(query["s"]),
            client_fd=client,
        )
    for item in keep:
        item.close()


def wait_event(query: dict[str, str], client: int) -> None:
    fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    try:
        waiter.wait(fd, deadline=time.monotonic() + float(query["s"]), client_fd=client)
    finally:
        os.close(fd)


def wait_sleep(query: dict[str, str], client: int) -> None:
    waiter.sleep(float(query["s"]), client_fd=client)


def wait_data(query: dict[str, str], client: int) -> None:
    """Data that is there already, and then data that arrives later."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.send(b"x")
        waiter.wait(ours.fileno(), deadline=time.monotonic() + 5, client_fd=client)
        assert ours.recv(1) == b"x"
        waiter.wait(ours.fileno(), write=True, deadline=time.monotonic() + 5, client_fd=client)
        pending[query["id"]] = theirs
        waiter.wait(ours.fileno(), deadline=time.monotonic() + 5, client_fd=client)
        assert ours.recv(10) == b"late"


pending: dict[str, socket.socket] = {}
twice: list[int] = []


def wait_twice(query: dict[str, str], client: int) -> None:
    if not twice:
        twice.append(os.eventfd(0, os.EFD_NONBLOCK))
    waiter.wait(twice[0], deadline=time.monotonic() + float(query["s"]))


def wait_idle(query: dict[str, str], client: int) -> None:
    return


WAITS: dict[str, Callable[[dict[str, str], int], None]] = {
    "/read": wait_read,
    "/write": wait_write,
    "/connect": wait_connect,
    "/event": wait_event,
    "/sleep": wait_sleep,
    "/data": wait_data,
    "/twice": wait_twice,
    "/": wait_idle,
}


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    query = dict(p.split("=") for p in environ["QUERY_STRING"].split("&") if p)
    client = waiter.client_fd(environ) if "watch" in query else -1
    path = environ["PATH_INFO"]
    if path == "/feed":
        pending[query["id"]].send(b"late")
    start = time.monotonic()
    outcome = "ready"
    try:
        if path in WAITS:
            WAITS[path](query, client)
    except TimeoutError:
        outcome = "timeout"
    except ClientGone:
        outcome = "gone"
        events.append(f"gone {path} {time.monotonic() - start:.3f}")
    except Exception as error:
        outcome = repr(error)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    body = json.dumps(
        {
            "outcome": outcome,
            "seconds": time.monotonic() - start,
            "id": query.get("id"),
            "events": events,
            "pending": list(pending),
            "switches": usage.ru_nvcsw,
            "cpu": usage.ru_utime + usage.ru_stime,
            "fds": len(os.listdir("/proc/self/fd")),
        }
    ).encode()
    start_response("200 OK", [("content-length", str(len(body)))])
    return [body]


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setblocking(False)
    signal.signal(signal.SIGTERM, lambda *_: server.drain(2))
    server.set_picoev_max_fd(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    server.set_listen_socket([listener.fileno()])
    print(listener.getsockname()[1], flush=True)
    server.run(app)


if __name__ == "__main__":
    sys.exit(main())
