"""Sizes such as "64MB": powers of 1024, as memory is counted."""

from __future__ import annotations

import re

_UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SIZE = re.compile(r"\s*(\d{1,12})(?:\.(\d{1,3}))?\s*([KMG]?)(?:I?B)?\s*", re.IGNORECASE | re.ASCII)


def parse_size(text: str) -> int:
    """Bytes; raises ValueError. "10MB", "10 MiB", "10M" and "10485760" are the same."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError('a size is a number with KB, MB or GB, such as "64MB"')
    unit = _UNITS[match[3].upper()]
    fraction = match[2] or ""
    scale: int = 10 ** len(fraction)
    return int(match[1]) * unit + int(fraction or 0) * unit // scale


def show_size(count: int) -> str:
    """The shortest exact form: 67108864 is "64MB"."""
    for unit, size in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if count and count % size == 0:
            return f"{count // size}{unit}"
    return str(count)
