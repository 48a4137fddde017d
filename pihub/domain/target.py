"""Where a chat can be answered, and who asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from pihub.domain.http_fields import header_text


class Principal(NamedTuple):
    """An authenticated caller. All numbers; 0 is nobody."""

    key: int = 0
    tenant: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """One `upstream/model` of a chain."""

    upstream: str
    kind: str
    """ollama, anthropic or openai"""
    model: str
    simulated: bool = False
    max_tokens: int | None = None
    name: str = field(init=False)
    """`upstream/model`"""
    shown: tuple[tuple[str, str], ...] = field(init=False)
    """How an answer's header names it; made once, sent with every answer."""

    def __post_init__(self) -> None:
        name = f"{self.upstream}/{self.model}"
        shown: tuple[tuple[str, str], ...] = (
            ("x-pihub-route", header_text(name)),
            ("x-pihub-model", header_text(self.model)),
        )
        if self.simulated:
            shown += (("x-pihub-simulated", "1"),)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "shown", shown)


def parse_target(text: str) -> tuple[str, str]:
    """`upstream/model` to its two parts; the model may hold more slashes.

    Raises ValueError if either part is missing.
    """
    upstream, slash, model = text.partition("/")
    if not (slash and upstream and model):
        raise ValueError(f"{text!r} is not of the form upstream/model")
    return upstream, model
