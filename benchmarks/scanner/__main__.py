"""`python -m benchmarks.scanner --data DIR [--json FILE] [--part dev|held|both]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.scanner import measure
from benchmarks.scanner.data import PARTS, Record, records
from benchmarks.scanner.engines import Engine, Hub, Regexes
from benchmarks.scanner.native import installed
from benchmarks.scanner.speed import adversarial, in_c, mean_ns, mixed_rate, request_us


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scanner", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="of *.jsonl")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    parser.add_argument("--part", choices=PARTS, default="dev", help="held: no rule was made on it")
    parser.add_argument("--only", action="store_true", help="the hub's scanner alone")
    parser.add_argument("--missed", metavar="ROW", help='list a row\'s errors, as "found sqli"')
    args = parser.parse_args()
    try:
        everything = list(records(args.data, args.part))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    values = [r for r in everything if r.place != "request"]
    hub = Hub()
    if args.missed:
        return missed(hub, values, args.missed)
    engines: list[Engine] = [hub]
    missing: list[str] = []
    if not args.only:
        native, missing = installed()
        engines += [Regexes(), *native]
    figures: dict[str, Any] = {"part": args.part, "values": len(values)}
    print(f"{len(values)} values, part: {args.part}")
    for line in missing:
        print(f"not installed: {line}")
    accuracy(engines, values, figures)
    fields(hub, values, figures)
    whole(hub, [r for r in everything if r.place == "request"], figures)
    evasion(engines, values, figures)
    speed(hub, values, figures)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1, default=plainly) + "\n")
    return 0


def plainly(value: object) -> object:
    if isinstance(value, measure.Rate):
        return {"percent": round(value.percent, 4), "hits": value.hits, "of": value.of}
    raise TypeError(type(value))


def missed(hub: Hub, values: list[Record], row: str) -> int:
    found = row.startswith("found")
    for record in values:
        if row in measure.group(record):
            points = hub.core.value(
                record.text, "query" if record.place == "prompt" else record.place, record.encoded
            )
            if hub.refuses(record.text, record.place, record.encoded) != found:
                told = points[:3] if points else ()
                print(record.source, record.place, told, repr(record.text[:300]), sep="\t")
    return 0


def accuracy(engines: list[Engine], values: list[Record], figures: dict[str, Any]) -> None:
    for engine in engines:
        found = measure.rates(engine, values)
        figures[engine.name] = {"rates": found, "balanced": measure.balanced(found)}
        print(f"\n{engine.name}")
        for row, rate in found.items():
            told = " (never judged: 0 by policy)" if row == "false prompt" else ""
            print(f"  {row:<20}{rate}{told}")
        total = measure.balanced(found)
        if total is not None:
            print(f"  balanced accuracy   {total:7.3f} %")


def fields(hub: Hub, values: list[Record], figures: dict[str, Any]) -> None:
    found = measure.fields(hub, values)
    figures["fields"] = found
    print("\nhonest JSON fields, as the hub comes")
    for row, rate in found.items():
        print(f"  {row:<20}{rate}")


def whole(hub: Hub, requests: list[Record], figures: dict[str, Any]) -> None:
    if not requests:
        return
    found = measure.requests(hub, requests)
    figures["requests"] = found
    print("\nwhole requests")
    for row, rate in found.items():
        print(f"  {row:<20}{rate}")
    for name in ("in heads", "by default", "all block"):
        if f"found {name}" in found and f"false {name}" in found:
            right = measure.accuracy(found, name)
            figures["requests"][f"accuracy {name}"] = round(right, 3)
            print(f"  accuracy {name:<11}{right:7.3f} %")


def evasion(engines: list[Engine], values: list[Record], figures: dict[str, Any]) -> None:
    for engine in engines:
        found = measure.matrix(engine, values)
        figures[engine.name]["evasion"] = found
        print(f"\nevasion: {engine.name}")
        for name, row in found.items():
            cells = "  ".join(f"{label} {rate.percent:5.1f}" for label, rate in row.items())
            print(f"  {name:<22}{cells}")


def speed(hub: Hub, values: list[Record], figures: dict[str, Any]) -> None:
    honest = [r.text for r in values if not r.attack and r.place == "query"][:20_000]
    clean = [v for v in honest if len(v) < 64 and hub.points(v, "query", True) == 0]
    attacks = [r.text for r in values if r.attack][:20_000]
    found = {
        "plain value under 64 B, ns": mean_ns(hub.core, [v for v in clean if usual(v)]),
        "clean value under 64 B, ns": mean_ns(hub.core, clean),
        "honest value, ns": mean_ns(hub.core, honest),
        "attack, ns": mean_ns(hub.core, attacks),
        "request, headers seen before, us": request_us(hub.core, True),
        "request, three new headers, us": request_us(hub.core, False),
    }
    for name, ns in in_c([v for v in clean if usual(v)]).items():
        found[f"plain value under 64 B, {name} in C, ns"] = ns
    found["random mixture of anchors, slowest, MB/s"] = mixed_rate(hub.core)
    print("\nspeed: processor time, one thread")
    for name, figure in found.items():
        print(f"  {name:<45}{figure:9.1f}" if figure >= 10 else f"  {name:<45}{figure:9.2f}")
    worst = sorted(adversarial(hub.core).items(), key=lambda item: item[1][0])
    for anchor, (rate, twice) in worst[:12]:
        print(f"  nothing but {anchor!r:<22}{rate:9.1f} MB/s, twice as long: {twice:.2f} times")
    figures["speed"] = found | {
        "adversarial MB/s": {a: round(r, 1) for a, (r, _) in worst},
        "growth": round(max(t for _, (_, t) in worst), 2),
    }


def usual(value: bytes) -> bool:
    """Letters, digits, plain marks: what the class scan alone lets pass."""
    return value.isascii() and not set(value) - set(
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.,:-"
    )


if __name__ == "__main__":
    sys.exit(main())
