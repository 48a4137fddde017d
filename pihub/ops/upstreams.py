"""What an admin sees of the upstreams and APIs, and does to them for a while."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from pihub.errors import NotFound
from pihub.settings.loaded import Loaded
from pihub.settings.schema import Api, Upstream
from pihub.shared.health import HealthBoard, Hold, LastError

PATIENCE = 5.0
"""Seconds that a probe may take."""
PROBES = {"ollama": "/api/version", "anthropic": "/v1/models?limit=1", "openai": "/v1/models"}
"""What costs nothing to ask, by kind. Sources: the APIs' references."""


class Probe(NamedTuple):
    """What a question outside of any request found."""

    at: float
    """Unix seconds."""
    ok: bool
    status: int
    """0: no answer."""
    milliseconds: float
    text: str


class TargetView(NamedTuple):
    """One upstream or API, as it is now."""

    name: str
    kind: str
    url: str
    simulated: bool
    state: str
    """closed, open or half-open."""
    hold: Hold | None
    ok: int
    """In the breaker's window, as `failed`."""
    failed: int
    calls: int
    """Since the hub's start, as the next two."""
    failures: int
    timeouts: int
    connections: int
    idle: int
    waiting: int
    pool: int
    """Connections that a worker may open."""
    error: LastError | None
    probe: Probe | None


class UpstreamDesk:
    """Reads what all workers share, holds breakers, asks an upstream whether it is there."""

    def __init__(self, loaded: Loaded, health: HealthBoard) -> None:
        settings = loaded.settings
        self._sections: dict[str, Upstream | Api] = {**settings.upstreams, **settings.apis}
        self._secrets: Mapping[str, bytes] = loaded.secrets
        self._health = health
        self._probes: dict[str, Probe] = {}
        """The last of each; at most as many as there are targets."""
        self._lock = threading.Lock()

    def views(self) -> list[TargetView]:
        """In the order of the configuration."""
        found = self._health.snapshot()
        return [self._view(name, found[name]) for name in self._sections]

    def view(self, name: str) -> TargetView:
        """Raises NotFound."""
        self._section(name)
        return self._view(name, self._health.snapshot()[name])

    def hold(self, name: str, state: str, seconds: float) -> None:
        """`open`: out of use; `closed`: in use whatever fails. Raises NotFound."""
        self._section(name)
        self._health.hold(name, state, seconds)

    def unhold(self, name: str) -> None:
        """Raises NotFound."""
        self._section(name)
        self._health.unhold(name)

    def probe(self, name: str) -> Probe:
        """Ask it now; where it answers, an open breaker lets the next request try.

        Blocks for PATIENCE seconds at most. Raises NotFound.
        """
        section = self._section(name)
        found = ask(section, self._secrets.get(name))
        with self._lock:
            self._probes[name] = found
        if found.ok:
            self._health.half_open(name)
        return found

    def _section(self, name: str) -> Upstream | Api:
        section = self._sections.get(name)
        if section is None:
            raise NotFound(f"there is no upstream and no API named {name[:64]}")
        return section

    def _view(self, name: str, found: Mapping[str, int | str]) -> TargetView:
        section = self._sections[name]
        opened, idle, waiting = self._health.pool(name)
        return TargetView(
            name=name,
            kind=section.kind if isinstance(section, Upstream) else "api",
            url=section.url,
            simulated=isinstance(section, Upstream) and section.simulated,
            state=str(found["state"]),
            hold=self._health.held(name),
            ok=int(found["ok"]),
            failed=int(found["failed"]),
            calls=int(found["calls"]),
            failures=int(found["failures"]),
            timeouts=int(found["timeouts"]),
            connections=opened,
            idle=idle,
            waiting=waiting,
            pool=section.pool.size,
            error=self._health.error(name),
            probe=self._probes.get(name),
        )


def ask(section: Upstream | Api, key: bytes | None) -> Probe:
    """One cheap GET. An API is asked for its base, without its key: whatever it answers,
    but for a failure of its own, it is there."""
    url = urlsplit(section.url)
    path, headers = url.path or "/", {"accept": "application/json"}
    if isinstance(section, Upstream):
        base = url.path.rstrip("/")
        wanted = PROBES[section.kind]
        path = base + (wanted[3:] if wanted[:4] == "/v1/" and base.endswith("/v1") else wanted)
        headers |= _credential(section.kind, key)
    began, at = time.monotonic(), time.time()
    status, text = 0, ""
    try:
        connection = _connect(section, url.scheme, url.hostname or "", url.port)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            status = answer.status
            answer.read(64 * 1024)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        text = str(error)[:200] or type(error).__name__
    took = (time.monotonic() - began) * 1000
    strict = isinstance(section, Upstream)
    ok = 200 <= status < 300 if strict else 0 < status < 500
    if not text:
        text = "answers" if ok else _refusal(status)
    return Probe(at, ok, status, took, text)


def _refusal(status: int) -> str:
    if status in (401, 403):
        return "answers, but does not accept the key"
    return "answers with an error"


def _connect(
    section: Upstream | Api, scheme: str, host: str, port: int | None
) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context(cafile=section.ca_file or None)
        return http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=context)
    return http.client.HTTPConnection(host, port, timeout=PATIENCE)


def _credential(kind: str, key: bytes | None) -> dict[str, str]:
    version = {"anthropic-version": "2023-06-01"} if kind == "anthropic" else {}
    if not key:
        return version
    text = key.decode("ascii", "replace")
    return {**version, "x-api-key": text} if kind == "anthropic" else {
        "authorization": f"Bearer {text}"
    }
