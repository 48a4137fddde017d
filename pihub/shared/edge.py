"""The edge: the WSGI callable that answers hits and refusals before any framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pihub._core.edge import Edge
from pihub._core.lane import Lane
from pihub.shared.state import SharedState

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Refusal = tuple[str, list[tuple[str, str | None]], bytes, bytes | None]
"""Status line; headers, None for the request id; body before the id, and after it (None:
the body has no place for it)."""
Refusals = dict[tuple[int, str], Refusal]
"""By route number and error code."""


def build_edge(
    app: WSGI,
    state: SharedState,
    slot: int,
    epoch: int,
    routes: Mapping[str, int],
    refusals: Refusals,
    max_body: int,
    lane: Lane | None = None,
    any_order: Iterable[str] = (),
) -> WSGI:
    """One worker's edge in front of `app`; the lane beside it takes chats that pass.
    `any_order`: models for whose requests the order of the top-level members is nothing."""
    return Edge(
        app,
        slot=slot,
        secret=state.arena.secret,
        epoch=epoch & 0xFFFFFFFFFFFFFFFF,
        cache=state.cache,
        keys=state.keys,
        limiter=state.limits,
        journal=state.journal(slot),
        routes=dict(routes),
        refusals=refusals,
        max_body=max_body,
        lane=lane,
        quotas=state.quotas,
        any_order=[name.encode() for name in any_order],
    )
