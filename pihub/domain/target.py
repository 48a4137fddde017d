"""Where a chat can be answered, and who asks."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Principal:
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.upstream}/{self.model}")


def parse_target(text: str) -> tuple[str, str]:
    """`upstream/model` to its two parts; the model may hold more slashes.

    Raises ValueError if either part is missing.
    """
    upstream, slash, model = text.partition("/")
    if not (slash and upstream and model):
        raise ValueError(f"{text!r} is not of the form upstream/model")
    return upstream, model
