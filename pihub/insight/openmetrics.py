"""The same families in OpenMetrics 1.0: counters by their bare name, exemplars, an end mark.

Source: https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_BUCKET = re.compile(r'(\w+)_bucket\{(.*)le="([^"]+)"\} ')
_QUALITY = re.compile(r";\s*q=([01](?:\.\d{0,3})?)\s*(?:;|$)")


class Exemplar(NamedTuple):
    """One observation that stands for its bucket."""

    request_id: str
    """16 hex digits: leads to the request's record."""
    value: float
    """Seconds."""
    at: float
    """Unix seconds."""


def wanted(accept: str) -> bool:
    """Whether an Accept field prefers OpenMetrics to the plain text format."""
    best = {"openmetrics": 0.0, "text": 0.0}
    for part in accept.split(","):
        kind = part.partition(";")[0].strip().lower()
        found = _QUALITY.search(part)
        quality = float(found[1]) if found else 1.0
        if kind == "application/openmetrics-text":
            best["openmetrics"] = max(best["openmetrics"], quality)
        elif kind in ("text/plain", "text/*"):
            best["text"] = max(best["text"], quality)
    return best["openmetrics"] > 0 and best["openmetrics"] >= best["text"]


def convert(lines: Iterable[str], exemplars: Mapping[str, list[Exemplar]]) -> bytes:
    """Lines of the text format 0.0.4 as OpenMetrics. `exemplars`: by histogram; each goes
    to the smallest bucket that holds it, one a bucket at most."""
    out = []
    open_: dict[str, list[Exemplar]] = {}
    for line in lines:
        if line.startswith("# "):
            words = line.split(" ", 3)
            name = words[2]
            if words[1] == "TYPE" and name in exemplars:
                open_[name] = sorted(exemplars[name], key=lambda one: one.value)
            out.append(f"{words[0]} {words[1]} {name.removesuffix('_total')} {words[3]}")
            continue
        found = _BUCKET.match(line)
        if found is None:
            out.append(line)
            continue
        name, labels, bound = found[1], found[2], found[3]
        edge = float(bound)
        text = bound if bound == "+Inf" else repr(edge)
        line = f'{name}_bucket{{{labels}le="{text}"}} {line[found.end() :]}'
        waiting = open_.get(name)
        inside = []
        while waiting and waiting[0].value <= edge:
            inside.append(waiting.pop(0))
        if inside:
            newest = max(inside, key=lambda one: one.at)
            line += (
                f' # {{request_id="{newest.request_id}"}} {newest.value!r} {newest.at:.3f}'
            )
        out.append(line)
    return ("\n".join(out) + "\n# EOF\n").encode()
