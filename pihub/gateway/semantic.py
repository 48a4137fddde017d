"""Answers to questions that were asked before in other words, where a model's section wants it.

Two requests are compared only if everything but the wording of the last question is equal:
tenant, model, system prompt, earlier turns, tools, parameters (their canonical keys without that
question), and the question's essence (domain/sameness.py). Then the embeddings decide. `shadow`
serves nothing: it finds the answer that it would have served while the model answers, and
counts whether both say the same. An embedding that is late or fails is a miss.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import msgspec

from pihub.domain.chat import Ask, Document, Image, Message, Text, ToolResult
from pihub.domain.sameness import answers_agree, essence
from pihub.domain.target import Target
from pihub.errors import ClientGone, PihubError
from pihub.gateway.exchange import Exchange
from pihub.shared.answers import AnswerCache, Key, Stored
from pihub.shared.events import CacheState
from pihub.shared.meanings import Meanings
from pihub.shared.routing import Event
from pihub.shared.semantic import SemanticBook
from pihub.shared.state import SharedState

log = logging.getLogger("pihub.gateway")

BESIDE = 64
"""Embeddings for the shadow that a worker has under way; more are not asked for."""


@dataclass(frozen=True, slots=True)
class SemanticRules:
    """What a model's section says. `seconds`: for the embedding."""

    serves: bool
    threshold: float
    embedder: Target
    seconds: float


class Look:
    """One request's question, from its look-up to its end."""

    __slots__ = ("done", "found", "kind", "lock", "near", "rules", "text", "vector", "x")

    def __init__(self, rules: SemanticRules, kind: Key, text: str) -> None:
        self.rules = rules
        self.kind = kind
        self.text = text
        self.vector = b""
        self.found: Stored | None = None
        self.near = 0.0
        self.lock = threading.Lock()
        self.done = False
        """The embedding was made, or will not be."""
        self.x: Exchange | None = None
        """The finished request, if it was finished before."""


class Semantic:
    """One worker's; `rules` by the model's name. `embed` gives a quantised vector."""

    def __init__(
        self,
        rules: Mapping[str, SemanticRules],
        embed: Callable[[Exchange, Target, str, float], bytes],
        meanings: Meanings,
        answers: AnswerCache,
        state: SharedState,
        slot: int,
        spawn: Callable[[Callable[[], None]], None],
    ) -> None:
        self._rules = rules
        self._embed = embed
        self._meanings = meanings
        self._answers = answers
        self._state = state
        self._slot = slot
        self._spawn = spawn
        self._book = SemanticBook(state)
        self._lock = threading.Lock()
        self._beside = 0

    def find(self, x: Exchange, key: Callable[[Ask], Key]) -> None:
        """After a miss: sets `stored`, or `meaning` for `learn`. `key`: a request's canonical
        key, as this one's was made. Raises ClientGone."""
        rules = self._rules.get(x.alias)
        if rules is None or x.key is None:
            return
        asked = _question(x.parsed())
        if asked is None:
            return
        text, rest = asked
        words = essence(text)
        if not words:
            return
        kind = self._meanings.kind(x.alias, rules.embedder.name, key(rest), words)
        x.meaning = look = Look(rules, kind, text)
        if rules.serves:
            self._compare(look, x)
            if look.found is not None:
                x.stored, x.meaning = look.found, None
                x.cache, x.cache_reason = CacheState.HIT, f"semantic {look.near:.2f}"
                self._count(Event.SEMANTIC_HIT)
        elif not self._begun(look, x):
            x.meaning = None
            self._count(Event.SEMANTIC_LATE)

    def _begun(self, look: Look, x: Exchange) -> bool:
        """Whether the shadow has room, and a thread."""
        with self._lock:
            if self._beside >= BESIDE:
                return False
            self._beside += 1
        # Its own descriptor may be another's when this ends.
        own = dataclasses.replace(x, request=dataclasses.replace(x.request, client_fd=-1))
        try:
            self._spawn(partial(self._shadow, look, own))
        except RuntimeError:
            self._ended()
            return False
        return True

    def _ended(self) -> None:
        with self._lock:
            self._beside -= 1

    def learn(self, x: Exchange) -> None:
        """Once, when the request is over: keep the vector of an answer that was kept, and in
        the shadow compare what would have been served."""
        look, x.meaning = x.meaning, None
        if look is None:
            return
        with look.lock:
            if not look.done:
                look.x = x  # the shadow goes on with it
                return
        self._learn(look, x)

    def _learn(self, look: Look, x: Exchange) -> None:
        if not look.vector or x.error is not None or x.answer is None or x.key is None:
            return
        if look.found is not None and x.target is not None:
            same = answers_agree(look.found.answer, x.answer)
            self._count(Event.SEMANTIC_AGREED if same else Event.SEMANTIC_DIFFERED)
            self._book.compared(x.alias, differed=not same)
        if x.kept and x.kept_ttl > 0:
            tenant, tag = x.request.principal.tenant, self._state.names.intern(x.alias)
            self._meanings.put(look.kind, tenant, look.vector, x.key, x.kept_ttl, tag)

    def _shadow(self, look: Look, own: Exchange) -> None:
        try:
            self._compare(look, own)
        except Exception:
            log.exception("request %s: its shadow failed", own.request.rid_hex)
        finally:
            self._ended()
            with look.lock:
                look.done = True
                over, look.x = look.x, None
            if over is not None:
                self._learn(look, over)

    def _compare(self, look: Look, x: Exchange) -> None:
        """Sets `vector`, and `found` if an answer is near enough. Raises ClientGone."""
        rules = look.rules
        try:
            look.vector = self._embed(x, rules.embedder, look.text, rules.seconds)
        except ClientGone:
            raise
        except PihubError as error:
            log.debug("request %s: no embedding: %s", x.request.rid_hex, error.code)
            self._count(Event.SEMANTIC_LATE)
            self._book.looked(x.alias, late=True)
            return
        finally:
            if rules.serves:
                look.done = True
        tenant = x.request.principal.tenant
        assert x.key is not None
        near = self._meanings.nearest(look.kind, tenant, look.vector, x.key)
        if near is not None and near[0] >= rules.threshold:
            look.near = near[0]
            try:
                look.found = self._answers.get(near[1], tenant)
            except msgspec.DecodeError:
                look.found = None  # of another version of the hub
        if look.found is None:
            self._count(Event.SEMANTIC_MISS)
        self._book.looked(x.alias, late=False, found=look.found is not None)

    def _count(self, event: Event) -> None:
        self._state.routing.add(self._slot, event, 1)


def _question(ask: Ask) -> tuple[str, Ask] | None:
    """(the last question, the request without it); None if it is of a kind that is never
    compared: images, documents, results of tools, or not a text."""
    if not ask.messages or ask.messages[-1].role != "user":
        return None
    for message in ask.messages:
        if any(isinstance(block, Image | Document | ToolResult) for block in message.blocks):
            return None
    last = ask.messages[-1].blocks
    texts = [block.text for block in last if isinstance(block, Text)]
    if len(texts) != len(last):
        return None
    emptied = Message("user", tuple([Text("") for _ in texts]))
    rest = msgspec.structs.replace(ask, messages=(*ask.messages[:-1], emptied))
    return "\n".join(texts), rest
