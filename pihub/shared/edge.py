"""The edge: the WSGI callable that answers hits and refusals before any framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pihub._core.edge import Edge
from pihub.shared.state import SharedState

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Refusals = dict[tuple[int, str], tuple[str, list[tuple[str, str]], bytes, bytes]]


def build_edge(
    app: WSGI,
    state: SharedState,
    slot: int,
    epoch: int,
    routes: Mapping[str, int],
    refusals: Refusals,
    max_body: int,
) -> WSGI:
    """One worker's edge in front of `app`."""
    return Edge(
        app,
        slot=slot,
        secret=state.arena.secret,
        epoch=epoch & 0xFFFFFFFFFFFFFFFF,
        cache=state.cache,
        keys=state.keys,
        limiter=state.limits,
        counters=state.counters,
        histogram=state.latency,
        ring=state.ring,
        routes=dict(routes),
        refusals=refusals,
        max_body=max_body,
    )
