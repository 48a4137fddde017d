"""Is the process up, can it answer, what does it count."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import falcon
import ujson

from pihub.shared.access import Access
from pihub.shared.health import HealthBoard
from pihub.shared.state import SharedState
from pihub.shared.wan import Wan


class Healthz:
    """GET /healthz: 200 as long as this worker answers at all."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.content_type = "application/json"
        resp.data = b'{"status":"ok"}'


class Readyz:
    """GET /readyz: 200 when keys are loaded, control lives and an upstream may be called."""

    def __init__(self, state: SharedState, board: HealthBoard, upstreams: tuple[str, ...]) -> None:
        self._state = state
        self._board = board
        self._upstreams = upstreams
        self._wan = Wan(state.wan)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        keys = self._state.keys.generation() > 0
        control = self._state.arena.slot_info(0)[0] > 0
        states = {name: row["state"] for name, row in self._board.snapshot().items()}
        usable = [n for n in self._upstreams if states.get(n) != "open"]
        ready = keys and control and (bool(usable) or not self._upstreams)
        resp.status = 200 if ready else 503
        resp.content_type = "application/json"
        resp.data = ujson.dumps(
            {
                "status": "ready" if ready else "not ready",
                "keys": "loaded" if keys else "loading",
                "store": "up" if control else "down",
                "upstreams": states,
                "offline": self._wan.offline(),
            }
        ).encode()


class Metrics:
    """GET /metrics: from this machine without a key, from elsewhere with one."""

    def __init__(self, exposition: Callable[[str], tuple[str, bytes]], access: Access) -> None:
        self._exposition = exposition
        self._access = access

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        if not is_loopback(req.env.get("REMOTE_ADDR", "")):
            self._access.principal(
                req.env.get("HTTP_AUTHORIZATION"), req.env.get("HTTP_X_API_KEY")
            )
        resp.content_type, resp.data = self._exposition(req.get_header("accept") or "")
        resp.set_header("vary", "accept")


def is_loopback(address: str) -> bool:
    """Whether a peer address is this machine (an empty one is a unix socket)."""
    if not address:
        return True
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback
