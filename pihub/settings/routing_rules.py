"""What types cannot say about routing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pihub.domain.routing import POLICIES
from pihub.settings.addresses import is_private
from pihub.settings.faults import Faults, Path

if TYPE_CHECKING:
    from pihub.settings.schema import Model, Settings

CHECKS = ("schema", "tools", "refusal", "empty", "cut", "logprob", "agreement")
_KEY = re.compile(r"([1-9][0-9]{0,8})\s*=\s*([a-z-]+)\s*")


def check(settings: Settings, faults: Faults) -> None:
    where = ("routing", "key_policies")
    for text in settings.routing.key_policies:
        found = _KEY.fullmatch(text)
        if found is None or found[2] not in POLICIES:
            faults.add(
                where,
                f'"{text[:40]}" must be NUMBER=policy, such as "3=local-only"; policies: '
                + ", ".join(POLICIES),
            )


def check_offline(path: Path, model: Model, settings: Settings, faults: Faults) -> None:
    name = model.offline_model
    if not name:
        return
    other = settings.models.get(name)
    if other is None:
        faults.add((*path, "offline_model"), f'there is no model "{name[:60]}"')
    elif not any(target.partition("/")[0] in local(settings) for target in other.chain):
        faults.add((*path, "offline_model"), f'"{name}" has no local target')


def local(settings: Settings) -> frozenset[str]:
    """Upstreams that need no line: Ollama's, and OpenAI-compatible servers on private
    addresses (llama.cpp, vLLM)."""
    return frozenset(
        name
        for name, one in settings.upstreams.items()
        if one.kind == "ollama"
        or (one.kind == "openai" and is_private(urlsplit(one.url).hostname or ""))
    )


def check_model(path: Path, model: Model, faults: Faults) -> None:
    if model.policy == "weighted" and len(model.weights) != len(model.chain):
        faults.add((*path, "weights"), "needs one number a target of the chain")
    elif model.weights and model.policy == "weighted" and not sum(model.weights):
        faults.add((*path, "weights"), "are all 0, so no target could be drawn")
    for one in model.verify:
        if one not in CHECKS:
            faults.add((*path, "verify"), f'"{one[:20]}" is none of {", ".join(CHECKS)}')
    if len(model.chain) < 2 and model.hedge_after_ms is not None:
        faults.warn((*path, "hedge_after_ms"), "has no effect: the chain has one target only")
    if len(model.chain) < 2 and model.verify:
        faults.warn((*path, "verify"), "has no effect: the chain has one target only")
