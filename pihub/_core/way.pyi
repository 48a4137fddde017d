from collections.abc import Callable
from typing import Any, Self, final

from pihub._core.board import Board
from pihub._core.breaker import Breaker

LIMIT_RATE: int
"""Rates (pico-USD a token) must be below it."""

@final
class Way:
    """Where one model of one route goes. Everything here is fixed while the worker lives.

    protocol: openai or anthropic. head: of a call with an empty body, as httphead.request
    writes it. model: the upstream's name for it, as JSON text. version: the only
    anthropic-version header of a client that goes this way. row: the upstream's breaker.
    calls, ok: its columns of the upstreams' counters. take(now) gives an idle connection or
    None, release(connection) takes it back; a connection has `fd` and `discard()`. names:
    numbers of model, upstream and alias. shown: the headers that name the target. price:
    five rates, prompt tokens above which the next five hold (0: never), those; None: unknown,
    then unpriced() is called for each answer. headers, total: timers in seconds.
    boards, may: whether the way is open is asked of may() at first, and again whenever
    something was published on one of the boards.

    Raises ValueError for a head that does not end with its length, or too high a rate.
    """

    def __new__(
        cls,
        *,
        protocol: str,
        head: bytes,
        model: bytes,
        version: str | None,
        breakers: Breaker,
        row: int,
        calls: int,
        ok: int,
        take: Callable[[float], Any],
        release: Callable[[Any], None],
        names: tuple[int, int, int],
        simulated: bool,
        shown: tuple[tuple[str, str], ...],
        price: tuple[tuple[int, ...], int, tuple[int, ...]] | None,
        unpriced: Callable[[], None] | None,
        headers: float,
        total: float,
        boards: tuple[Board, ...],
        may: Callable[[], bool],
    ) -> Self: ...
    def is_open(self) -> bool:
        """Whether chats may go here now."""

def read_ask(body: bytes) -> tuple[bytes, float | None] | None:
    """(model, temperature) of a plain request; None if it is not plain."""

def read_answer(
    protocol: str, body: bytes
) -> tuple[tuple[int, int, int, int, int] | None, bytes] | None:
    """(usage, stop reason) of a plain answer; None if it is not plain.

    Usage: input, output, cache read, cache write of 5 minutes and of an hour.
    """

def read_head(data: bytes) -> tuple[int, int] | None:
    """(where it ends, length of the body) of a plain answer's head."""
