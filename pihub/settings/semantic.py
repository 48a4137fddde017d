"""[models.NAME.semantic]: answers to questions that differ only in their wording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from pihub.domain.target import parse_target
from pihub.settings.faults import Faults, Path
from pihub.settings.section import Section

if TYPE_CHECKING:
    from pihub.settings.schema import Settings


class Semantic(Section, frozen=True):
    mode: Literal["off", "shadow", "on"] = "off"
    """`shadow` serves nothing and measures how often it would have been wrong."""
    model: str = ""
    """`upstream/model` of an Ollama that makes the embeddings."""
    threshold: Annotated[float, msgspec.Meta(ge=0.5, le=1)] = 0.9
    """Least cosine similarity of two questions."""
    deadline_ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 500
    """For the embedding; a later one is a miss."""


def check(settings: Settings, faults: Faults) -> None:
    for name, model in settings.models.items():
        wanted, where = model.semantic, ("models", name, "semantic", "model")
        if wanted.mode != "off":
            _check_model(settings, wanted.model, where, faults)


def _check_model(settings: Settings, text: str, where: Path, faults: Faults) -> None:
    try:
        upstream, _ = parse_target(text)
    except ValueError:
        faults.add(where, 'needs an embedding model, such as "ollama/nomic-embed-text"')
        return
    found = settings.upstreams.get(upstream)
    if found is None:
        faults.add(where, f'names an upstream that is not configured: "{upstream[:40]}"')
    elif found.kind != "ollama":
        faults.add(where, "must be of an Ollama: questions are not sent elsewhere to be compared")
