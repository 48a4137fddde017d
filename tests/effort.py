"""How many examples a property is tried with, in proportion to the profile that runs.

`settings(max_examples=400)` stays 400 whatever the profile says; `examples(400)` is four times
as many as the profile's own number, so that a run under emulation ends.
"""

from __future__ import annotations

from hypothesis import settings

USUAL = 100
"""Hypothesis's own number: what the numbers in the tests are meant beside."""


def examples(number: int) -> settings:
    """Settings of `number` examples where the profile has the usual ones."""
    own = settings().max_examples
    return settings(max_examples=max(1, number * own // USUAL))
