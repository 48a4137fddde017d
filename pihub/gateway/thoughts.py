"""Signed thinking belongs to the model that thought it: it goes back to it, or is dropped.

Anthropic refuses a thinking block whose signature another model made, and a conversation
that changes its model loses what was thought. So the signature's maker is remembered, a
conversation with signed thinking stays with that model as long as its chain has it and it
answers, and every other model gets the conversation without it, with a warning.
Source: Anthropic's documentation, "Extended thinking" (preserving thinking blocks).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec

from pihub.domain.chat import Ask, Block, Message, RedactedThinking, Thinking
from pihub.domain.target import Target
from pihub.gateway.exchange import Exchange
from pihub.protocols.anthropic.response import read
from pihub.shared.answers import ByteCache

KEPT = 7 * 86400.0
"""Seconds; a conversation that rested longer has no pin."""
MARKS = (b'"signature"', b'"redacted_thinking"')
"""One of them stands in every Anthropic body with signed thinking."""


class Thoughts:
    """Who signed what, for all workers: in the shared cache, one small entry a signed
    thought. RAM: the cache's; where an entry had to leave, the pin is lost, nothing else."""

    def __init__(self, cache: ByteCache) -> None:
        self._cache = cache

    def pin(self, x: Exchange) -> None:
        """The model that signed last goes to the front of `targets`. Sets `signed`, `pinned`."""
        request = x.request
        if request.client.name != "responses" and not any(m in request.body for m in MARKS):
            return
        tenant = request.principal.tenant
        x.signed = {mark: self._maker(mark, tenant) for mark in _marks(x.parsed())}
        maker = next((one for one in reversed(x.signed.values()) if one), "")
        own = tuple(t for t in x.targets if t.kind == "anthropic" and t.model == maker)
        if own and x.targets[0] is not own[0]:
            x.targets = (*own, *(t for t in x.targets if t not in own))
            x.pinned = True

    def fit(self, x: Exchange, target: Target) -> Ask | None:
        """The request without what this target did not sign; None: there is no such thing.

        A signature of unknown make is left to the first target that could have made it.
        """
        if not x.signed:
            return None
        mine = {mark for mark, maker in x.signed.items() if _made(x, target, maker)}
        if len(mine) == len(x.signed):
            return None
        ask = x.parsed()
        return msgspec.structs.replace(ask, messages=tuple(_without(ask.messages, mine)))

    def learn(self, x: Exchange) -> None:
        """After a finished answer: remember who signed its thinking."""
        target = x.target
        if target is None or target.kind != "anthropic" or x.error is not None:
            return
        answer = x.answer
        if answer is None and any(mark in x.raw for mark in MARKS):
            answer = read(200, x.raw)
        for block in answer.blocks if answer is not None else ():
            if mark := _mark(block):
                tenant, model = x.request.principal.tenant, target.model.encode()
                self._cache.put(_key(mark), tenant, model, KEPT, 0.0)

    def _maker(self, mark: str, tenant: int) -> str:
        """The model, empty if unknown."""
        found = self._cache.get(_key(mark), tenant)
        return "" if found is None or found[1] > 0 else found[0].decode()


def _mark(block: Block) -> str:
    """What only its maker can have written; empty for everything but signed thinking."""
    if isinstance(block, Thinking):
        return block.signature
    return block.data if isinstance(block, RedactedThinking) else ""


def _marks(ask: Ask) -> Iterator[str]:
    for message in ask.messages:
        for block in message.blocks:
            if mark := _mark(block):
                yield mark


def _made(x: Exchange, target: Target, maker: str) -> bool:
    if target.kind != "anthropic":
        return False
    return maker == target.model or (
        not maker and target is next(t for t in x.targets if t.kind == "anthropic")
    )


def _without(messages: Sequence[Message], kept: Collection[str]) -> Iterator[Message]:
    for message in messages:
        blocks = [b for b in message.blocks if not (mark := _mark(b)) or mark in kept]
        if len(blocks) == len(message.blocks):
            yield message
        elif blocks:
            yield msgspec.structs.replace(message, blocks=tuple(blocks))


def _key(mark: str) -> bytes:
    return b"thought\0" + mark.encode("utf-8", "surrogatepass")
