"""A running 95th percentile in one number, without keeping samples.

Stochastic approximation (Robbins and Monro, 1951) on the logarithm: up by 0.95 of a step
where a sample lies above, down by 0.05 of one where it does not, so that one sample in
twenty lies above. Steps are large at first and a tenth later: about the last hundred
samples decide. Only the side counts, so a sample may be known as "later than this" only.
"""

from __future__ import annotations

SHARE = 0.95
STEP = 0.1
LEAST = 0.001


def p95(known: float, samples: int, value: float) -> float:
    """The new estimate after one more sample; `samples` is how many made `known`."""
    if not samples:
        return max(value, LEAST)
    step = max(STEP, 1 / (samples + 1))
    moved = known * (1 + SHARE * step if value > known else 1 - (1 - SHARE) * step)
    return max(moved, LEAST)
