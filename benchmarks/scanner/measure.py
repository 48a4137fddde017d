"""Rates by class and by place; the confidence that few values allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.scanner.data import Record
from benchmarks.scanner.engines import DEFAULTS, Engine, Hub
from benchmarks.scanner.evasion import ONLY, VARIANTS, sample
from pihub.domain.finding import Finding
from pihub.security.scanner.judge import Judge

WCP = "mgm_wcp"
"""The attacks of openappsec's WAF comparison."""
REAL = ("blaze_values", "apache_logs", "httpparams")
"""Values of people's browsing and of an application's forms."""
HARD = ("libinjection", "gotestwaf", "mgm_wcp")
"""Honest values that other engines are known to refuse."""


@dataclass(frozen=True, slots=True)
class Rate:
    hits: int
    of: int

    @property
    def percent(self) -> float:
        return 100.0 * self.hits / self.of if self.of else 0.0

    def __str__(self) -> str:
        return f"{self.percent:7.3f} %  {self.hits:>6} of {self.of}"


def group(record: Record) -> list[str]:
    """The rows that a record counts in."""
    if record.attack:
        label = "other" if record.label.startswith("other:") else record.label
        if record.strict:
            return ["found by strict rules"]
        return [f"found {label}"] + (["found WCP"] if record.source == WCP else [])
    rows = [f"false {record.place}"]
    if record.source in REAL and record.place in ("query", "path", "header"):
        rows.append("false real web")
    if record.source in HARD:
        rows.append("false hard")
    return rows


def rates(engine: Engine, values: Sequence[Record]) -> dict[str, Rate]:
    hits: dict[str, int] = {}
    count: dict[str, int] = {}
    for record in values:
        refused = engine.refuses(record.text, record.place, record.encoded)
        for row in group(record):
            hits[row] = hits.get(row, 0) + refused
            count[row] = count.get(row, 0) + 1
    return {row: Rate(hits[row], count[row]) for row in sorted(count)}


def balanced(found: dict[str, Rate]) -> float | None:
    """Of the WCP attacks and the real values, in percent."""
    attacks, real = found.get("found WCP"), found.get("false real web")
    if not attacks or not real:
        return None
    return (attacks.percent + 100.0 - real.percent) / 2


def requests(hub: Hub, values: Sequence[Record]) -> dict[str, Rate]:
    """Whole requests: what is refused for its path, query and headers, by default (JSON is noted
    only), and with all modes on `block`."""
    rows: dict[str, list[int]] = {}
    for record in values:
        head, form, body = hub.request(record.text)
        kind = "found" if record.attack else "false"
        for name, refused in (
            ("in heads", head >= 100),
            ("by default", max(head, form) >= 100),
            ("all block", max(head, form, body) >= 100),
        ):
            row = rows.setdefault(f"{kind} {name}", [0, 0])
            row[0] += refused
            row[1] += 1
    return {name: Rate(*row) for name, row in rows.items()}


def fields(hub: Hub, values: Sequence[Record]) -> dict[str, Rate]:
    """Honest JSON fields, one body each, by the judge with the settings as they come: what is
    noted of them, and what is refused."""
    noted: list[Finding] = []
    judge = Judge(DEFAULTS, hub.core, frozenset(), noted.append)
    of = refused = 0
    for record in values:
        if record.attack or record.place != "json":
            continue
        of += 1
        found = hub.core.value(record.text, "json", record.encoded)
        refused += found is not None and judge.weigh(found, "/api/benchmark") is not None
    return {"noted json": Rate(len(noted), of), "refused json": Rate(refused, of)}


def accuracy(found: dict[str, Rate], name: str) -> float:
    hit, wrong = found[f"found {name}"], found[f"false {name}"]
    return 100.0 * (hit.hits + wrong.of - wrong.hits) / (hit.of + wrong.of)


def matrix(engine: Engine, values: Sequence[Record]) -> dict[str, dict[str, Rate]]:
    """Variant -> class -> found."""
    asked = [r for r in values if r.place == "query" and not r.strict]
    chosen = sample([(r.label, r.text, r.encoded) for r in asked])
    found: dict[str, dict[str, Rate]] = {}
    for name, change in VARIANTS.items():
        found[name] = {
            label: Rate(sum(engine.refuses(change(v), "query", False) for v in some), len(some))
            for label, some in chosen.items()
            if some and label in ONLY.get(name, (label,))
        }
    return found
