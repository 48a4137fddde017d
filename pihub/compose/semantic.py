"""The semantic cache of one worker, from the settings; None where no model wants it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pihub.domain.ports import Waiter
from pihub.domain.target import Target, parse_target
from pihub.gateway.direct import Direct
from pihub.gateway.embedder import Embedder
from pihub.gateway.link import Link
from pihub.gateway.semantic import Semantic, SemanticRules
from pihub.gateway.turns import Turns
from pihub.protocols.registry import EMBEDDERS
from pihub.settings.schema import Settings
from pihub.settings.sizes import parse_size
from pihub.shared.answers import AnswerCache
from pihub.shared.meanings import Meanings
from pihub.upstream.connector.connector import Connector

if TYPE_CHECKING:
    from pihub.app import Hub


def build_semantic(
    hub: Hub,
    slot: int,
    waiter: Waiter,
    connector: Connector,
    links: Mapping[str, Link],
    turns: Turns,
) -> Semantic | None:
    settings, state = hub.settings, hub.state
    rules = semantic_rules(settings)
    if not rules:
        return None
    limit = parse_size(settings.limits.answer)
    return Semantic(
        rules,
        Embedder(Direct(links, connector, state, slot, limit=limit), turns, EMBEDDERS["ollama"]()),
        Meanings(state.cache, state.arena.secret, hub.loaded.epoch),
        AnswerCache(state.cache, state.arena.secret, hub.loaded.epoch),
        state,
        slot,
        waiter.spawn,
    )


def semantic_rules(settings: Settings) -> dict[str, SemanticRules]:
    """By the model's name; the settings' check has refused what is malformed."""
    found = {}
    for alias, model in settings.models.items():
        wanted = model.semantic
        if wanted.mode != "off":
            upstream, name = parse_target(wanted.model)
            one = settings.upstreams[upstream]
            found[alias] = SemanticRules(
                wanted.mode == "on",
                wanted.threshold,
                Target(upstream, one.kind, name, one.simulated),
                wanted.deadline_ms / 1000,
            )
    return found
