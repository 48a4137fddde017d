"""Features of a prompt, the slow and obvious way."""

from __future__ import annotations

import itertools
import math
import re

from pihub._core.difficulty import BUCKETS, COUNTS, CUES, TEXT

MASK = 0xFFFFFFFF


def words(text: bytes) -> list[bytes]:
    found = re.findall(rb"[A-Za-z\x80-\xff]+|[0-9]+|[!-/:-@\[-`{-~]", text[:TEXT])
    # Only ASCII letters have a lower case here.
    return [re.sub(rb"[0-9]+", lambda m: b"0" * min(3, len(m[0])), w.lower()) for w in found]


def mix(h: int) -> int:
    h ^= h >> 16
    h = h * 0x7FEB352D & MASK
    h ^= h >> 15
    h = h * 0x846CA68B & MASK
    return h ^ h >> 16


def hashed(word: bytes) -> int:
    h = 2166136261
    for byte in word:
        h = (h ^ byte) * 16777619 & MASK
    return mix(h)


def hashed_features(text: bytes) -> dict[int, float]:
    sums: dict[int, int] = {}
    hashes = [hashed(word) for word in words(text)]
    pairs = [
        mix((a * 31 + b * 0x9E3779B1 + 1) & MASK)
        for a, b in itertools.pairwise(hashes)
    ]
    for h in [*hashes, *pairs]:
        sums[h % BUCKETS] = sums.get(h % BUCKETS, 0) + (-1 if h >> 31 else 1)
    logs = {row: math.copysign(math.log1p(abs(n)), n) for row, n in sums.items() if n}
    norm = math.sqrt(sum(v * v for v in logs.values())) or 1.0
    return {row: value / norm for row, value in logs.items()}


def cue_rows(text: bytes) -> set[int]:
    present = set(words(text))
    first = BUCKETS + len(COUNTS)
    return {first + n for n, cue in enumerate(CUES) if cue.encode() in present}
