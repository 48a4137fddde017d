"""A stored answer past its time is given at once; what asks the upstream meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from pihub.errors import PihubError
from pihub.gateway.api.answer import ApiAnswer
from pihub.gateway.api.cache import ApiCache, Entry
from pihub.gateway.api.cache_rules import REFUSALS, Use, usable
from pihub.gateway.api.call import Call
from pihub.gateway.api.faces import BackgroundFace

Ask = Callable[[Call, ApiCache, Entry | None], ApiAnswer]


def refresh(background: BackgroundFace, cache: ApiCache, call: Call, ask: Ask) -> None:
    """Begin it, unless it is under way. `ask` fetches and stores, as for a client.

    It goes through the API's own rate, breaker and retries. An answer that says that the
    stored one is over, but may not be stored itself, takes it away.
    """

    def work(client_fd: int) -> bool:
        again = call.again(client_fd)
        entry = cache.get(again.target, again.sent, again.tenant)
        if entry is not None and usable((), entry.plan, cache.resident(entry)) is Use.SERVE:
            return True  # another was quicker
        try:
            answer = ask(again, cache, entry)
        except PihubError:
            return False
        if not _taken(answer):
            return False
        if not again.kept[0] and answer.cache_state == "MISS":
            if answer.status < 400 or answer.status in REFUSALS:
                cache.invalidate(again.target, again.tenant)
            return False
        return answer.cache_state != "STALE"

    background.begin(call.look ^ (call.tenant * 0x9E3779B97F4A7C15 & (2**64 - 1)), work)


def _taken(answer: ApiAnswer) -> bool:
    """Whether the body came whole; storing is what its end does."""
    try:
        if not isinstance(answer.body, bytes):
            for _ in answer.body:
                pass
    except PihubError:
        return False
    finally:
        answer.close()
    return True
