"""A question's vector, by a deadline, from an Ollama that may be at work for others."""

from __future__ import annotations

import dataclasses
from time import monotonic

import msgspec

from pihub.domain.embed import EmbedAsk
from pihub.domain.ports import EmbedUpstream
from pihub.domain.predict import CHARS_PER_TOKEN
from pihub.domain.target import Target
from pihub.errors import UpstreamProtocol, UpstreamTimeout
from pihub.gateway.direct import Direct
from pihub.gateway.exchange import Exchange
from pihub.gateway.link import JSON_BODY
from pihub.gateway.plan import PLAIN, Plan
from pihub.gateway.turns import Turns
from pihub.shared.meanings import quantised


class Embedder:
    """One worker's. It is local work as any other: it takes a turn in the upstream's queue,
    and waits for a model that is being loaded, until the deadline."""

    def __init__(self, direct: Direct, turns: Turns, form: EmbedUpstream) -> None:
        self._direct = direct
        self._turns = turns
        self._form = form

    def __call__(self, x: Exchange, target: Target, text: str, seconds: float) -> bytes:
        """The quantised vector. Raises PihubError of any kind: late, busy, failing, and
        ClientGone of the request's own client."""
        until = monotonic() + seconds
        own = Exchange(dataclasses.replace(x.request, begun=None))
        own.plan = Plan(PLAIN, "", max(1, int(len(text) / CHARS_PER_TOKEN)), 0, {}, until)
        turn = self._turns.take(own, target)
        try:
            link = self._direct.links[target.upstream]
            left = until - monotonic()
            if left <= 0:
                raise UpstreamTimeout("no time was left for the embedding", timer="total")
            timers = msgspec.structs.replace(
                link.timers, connect=left, headers=left, first_byte=left, idle=left, total=left
            )
            body = self._form.request(EmbedAsk(model=target.model, inputs=(text,)), target.model)
            headers = [JSON_BODY, *link.auth]
            raw = self._direct.send(own, link, "POST", self._form.path, headers, body, timers)
        finally:
            if turn is not None:
                turn.end()
        found = self._form.read(raw).vectors
        vector = quantised(found[0]) if len(found) == 1 else b""
        if not vector:
            raise UpstreamProtocol(f"{link.name} gave no vector for one text")
        return vector
