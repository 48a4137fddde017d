"""The input scanner as a bill of materials: a worker's gate and judge, the control's keeper."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pihub.domain.event import Reason
from pihub.domain.target import Principal
from pihub.errors import PihubError
from pihub.gateway.record import Numbers
from pihub.http.data.errors import ErrorMapper
from pihub.security.scanner.judge import NOBODY, Judge
from pihub.shared.access import Access
from pihub.shared.events import CacheState, Flag
from pihub.shared.findings import Allowed
from pihub.shared.metrics import Column, Route
from pihub.shared.scanning import WSGI, Found, Gate, Scanner

if TYPE_CHECKING:
    from pihub.app import Hub

UNREAD = 64 << 20
"""Bytes of a refused request's body that are taken in before the answer (RFC 9112, 9.6)."""


def scanner_judge(hub: Hub, slot: int) -> tuple[Scanner, Judge]:
    """One worker's scanner and what it leads to."""
    state = hub.state
    core = Scanner(hub.keywords, state.arena.secret)

    def record(finding: Any) -> None:
        state.findings.push(slot, finding)
        column = Column.SCANNER_BLOCKED if finding.blocked else Column.SCANNER_NOTED
        state.counters.add(slot, column, 1)

    return core, Judge(hub.settings.scanner, core, Allowed(state.allowed), record)


class Refused:
    """A refusal's row among the requests: the gate stands before all else that writes them."""

    def __init__(self, hub: Hub, slot: int) -> None:
        self._write = hub.state.journal(slot).write
        self._names = Numbers(hub.state.names.intern)

    def __call__(self, rid: int, error: PihubError, who: Principal, size: int) -> None:
        self._write(
            time.monotonic_ns(), [], rid, 0, 0, 0, 0, 0, 0, 0, size, 0, who.key, error.status,
            who.tenant, int(Route.OTHER), 0, 0, 0, CacheState.NONE, int(Flag.ERROR), 0,
            Reason.REFUSED, self._names[error.code], 0, 0, 0, 0, 0, 0, 0,
        )  # fmt: skip


def scanner_gate(
    app: WSGI, core: Scanner, judge: Judge, errors: ErrorMapper, access: Access, refused: Refused
) -> WSGI:
    """Path, query and headers of every request, before anything else sees them. Who sent what
    was found is asked then, and only then."""

    def refuse(
        found: Found, env: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes] | None:
        path = env.get("PATH_INFO", "")
        who = NOBODY
        with suppress(PihubError):
            who = access.principal(env.get("HTTP_AUTHORIZATION"), env.get("HTTP_X_API_KEY"))
        error = judge.weigh(found, path, who)
        if error is None:
            return None
        refused(int(error.detail, 16), error, who, int(env.get("CONTENT_LENGTH") or 0))
        if env.get("meinheld.client") is None:
            _take_in(env)
        known = {"pihub.rid_hex": error.detail, "HTTP_ANTHROPIC_VERSION": None}
        if "HTTP_ANTHROPIC_VERSION" not in env:
            del known["HTTP_ANTHROPIC_VERSION"]
        status, headers, body = errors.render(path, known, error)
        headers = [*headers, ("x-pihub-finding", error.detail), ("content-length", str(len(body)))]
        start_response(f"{status} Bad Request", headers)
        return [] if env.get("REQUEST_METHOD") == "HEAD" else [body]

    return Gate(app, core, refuse)


def _take_in(env: dict[str, Any]) -> None:
    left = min(UNREAD, int(env.get("CONTENT_LENGTH") or 0))
    source = env.get("wsgi.input")
    with suppress(Exception):  # the server's own: the client left
        while left > 0 and source is not None:
            piece = source.read(min(left, 65536))
            left = left - len(piece) if piece else 0
