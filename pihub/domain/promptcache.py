"""Whether a vendor's prompt cache pays.

Anthropic's prices: a write costs a quarter more than reading the tokens anew (5 minutes; twice as
much as them for an hour, of which this knows nothing), a read saves nine tenths of them.
Source: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching
"""

from __future__ import annotations

WRITE_COSTS, READ_SAVES = 0.25, 0.9
"""Of the input price."""
LOST = 1e6
"""Where nothing was read."""


def balance(written: float, read: float) -> float:
    """What writing cost more, by what reading saved: above 1 the cache only costs.

    Tokens, or shares of the prompts' tokens.
    """
    if not written:
        return 0.0
    return min(LOST, written * WRITE_COSTS / (read * READ_SAVES)) if read else LOST


def outweighs(written: float, read: float) -> bool:
    """Whether writing costs more than reading saves."""
    return balance(written, read) > 1
