"""No prompt is silently cut: what does not fit a local context gets a larger one, or goes on.

Ollama cuts a long prompt from the front and answers 200. So each planned call tells it not
to (`truncate: false`: an error instead), and asks for a context (`num_ctx`) that the prompt
fits, as far as the model was made for it and the memory allows.
Source: Ollama's API documentation (options.num_ctx, /api/show) and its api/types.go.
"""

from __future__ import annotations

import msgspec

from pihub.domain.chat import Ask
from pihub.domain.target import Target
from pihub.errors import ContextExceeded
from pihub.gateway.exchange import Exchange
from pihub.gateway.plan import SMALL_CONTEXT
from pihub.shared.routing import Event, LocalState
from pihub.shared.state import SharedState

STEP = 2048
"""Contexts are multiples of this: each new size makes Ollama load the model again."""
MARGIN = 1.15
"""The prompt's tokens are an estimate."""
ANSWER = 256
"""Tokens kept for an answer of which nobody said how long it may be."""
UNCUT = b'{"truncate":false,'


class ContextGuard:
    """Decides the context of one call to Ollama."""

    def __init__(self, models: LocalState, state: SharedState, slot: int) -> None:
        self._models = models
        self._count = state.routing.add
        self._slot = slot

    def fit(self, x: Exchange, target: Target) -> Ask | None:
        """The request with a larger `num_ctx`; None if it fits as it is, or nothing is known
        of the model yet (then Ollama itself refuses what does not fit).

        Raises ContextExceeded.
        """
        if x.plan is None or target.kind != "ollama":
            return None
        ask = x.parsed()
        need = int(x.plan.prompt * MARGIN) + (ask.max_tokens or ANSWER)
        seen = self._models.model(target)
        own = ask.options.get("num_ctx")
        loaded = seen.context if seen is not None and seen.loaded else 0
        now = own if isinstance(own, int) and own > 0 else loaded or SMALL_CONTEXT
        if need <= now or seen is None:
            return None
        wanted = min(-(-need // STEP) * STEP, seen.most or need)
        extra = (wanted - now) * seen.cache_bytes
        fits = need <= wanted and seen.cache_bytes and extra < self._models.free(target.upstream)
        if not fits:
            self._count(self._slot, Event.CONTEXT_UP, 1)
            why = "was made for" if need > wanted else "has the memory for"
            raise ContextExceeded(
                f"the prompt of about {x.plan.prompt} tokens is longer than {target.name} {why}"
            )
        self._count(self._slot, Event.CONTEXT_GROWN, 1)
        return msgspec.structs.replace(ask, options={**ask.options, "num_ctx": wanted})


def uncut(body: bytes) -> bytes:
    """The body of a call, with Ollama told not to cut; what says so already stays."""
    if b'"truncate"' in body or not body.startswith(b"{") or body[1:2] == b"}":
        return body
    return UNCUT + body[1:]
