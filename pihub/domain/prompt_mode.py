"""What an API key, or a model, wants done about what its prompts hold."""

from __future__ import annotations

from typing import Literal

PromptMode = Literal["off", "cloud-ok", "redact-then-cloud", "local-only"]
MODES: tuple[PromptMode, ...] = ("off", "cloud-ok", "redact-then-cloud", "local-only")
"""From the least strict to the strictest."""


def strictest(*modes: PromptMode) -> PromptMode:
    """`off` of none."""
    return max(modes, key=MODES.index, default="off")
