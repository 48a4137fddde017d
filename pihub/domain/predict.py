"""How long a local model will take, from what was learnt of it on this machine.

    wait in the queue + load + prompt tokens / prefill rate + output tokens / decode rate
"""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_OUTPUT = 256
"""Tokens, until a model's own mean is known."""
CHARS_PER_TOKEN = 4.0
LEAST_CHARS, MOST_CHARS = 2.0, 5.0
LONGEST_MS = 4_000_000_000


class Figures(NamedTuple):
    """Of one model on one upstream; 0: not known yet."""

    prefill: float = 0.0
    """Prompt tokens a second."""
    decode: float = 0.0
    """Output tokens a second."""
    load: float = 0.0
    """Seconds of loading the model."""
    output: float = 0.0
    """Tokens of an answer."""
    chars: float = 0.0
    """Characters of a prompt's JSON a token."""
    first: float = 0.0
    """Seconds to the first token, of upstreams that say nothing more."""


def prompt_tokens(characters: int, figures: Figures) -> int:
    """An estimate, at least 1. The learnt ratio is not trusted beyond what any text has: a
    cached prompt is told with fewer tokens than it has."""
    ratio = min(max(figures.chars, LEAST_CHARS), MOST_CHARS) if figures.chars else CHARS_PER_TOKEN
    return max(1, round(characters / ratio))


def output_tokens(figures: Figures, max_tokens: int | None) -> int:
    """The model's mean, less if the client allows no more."""
    expected = round(figures.output) or DEFAULT_OUTPUT
    return expected if max_tokens is None else max(0, min(expected, max_tokens))


def service_ms(figures: Figures, prompt: int, output: int) -> float | None:
    """Without waiting and loading; None until there is something to go by."""
    if not figures.decode:
        return None
    if figures.prefill:
        start = prompt / figures.prefill
    elif figures.first:
        start = figures.first
    else:
        return None
    return min((start + output / figures.decode) * 1000, LONGEST_MS)


def load_ms(figures: Figures, loaded: bool) -> float:
    """0 for a loaded model, and for one whose loading was never seen."""
    return 0.0 if loaded else figures.load * 1000
