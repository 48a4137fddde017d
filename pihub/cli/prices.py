"""The price table in force: show it, check one, take a new one in, price a request.

Prices are data: USD a million tokens, in TOML (docs/settings.md, `gateway.prices_file`).
An update is a file that you have read yourself; the hub fetches none.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from pihub.cli import configuration, exits
from pihub.domain.chat import Usage
from pihub.domain.pricing import Price, PriceTable, Rates, cost
from pihub.domain.target import parse_target
from pihub.errors import ConfigError
from pihub.settings.prices import load_prices, own_prices, settings_prices
from pihub.settings.schema import Settings

EXAMPLE = """Examples:
  pihub prices                                  # the table in force
  pihub prices check                            # does every configured model have a price?
  pihub prices check new.toml                   # is this file sound, and what would it change?
  pihub prices update new.toml                  # take it in (SIGHUP puts it in force)
  pihub prices cost anthropic/claude-haiku-4-5 --input 2000 --output 500"""

PICO_PER_USD = 1_000_000
"""Of a rate: pico-USD a token is micro-USD a million tokens."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    configuration.add_config(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("show", help="the table in force (the default)")
    check = actions.add_parser("check", help="what a file would change; models without a price")
    check.add_argument("file", nargs="?", help="a price table (default: the one in force)")
    update = actions.add_parser("update", help="take a price table in")
    update.add_argument("file")
    one = actions.add_parser("cost", help="what one request would cost")
    one.add_argument("model", help="KIND/MODEL, such as anthropic/claude-haiku-4-5")
    for name in ("input", "output", "cache-read", "cache-write-5m", "cache-write-1h", "images"):
        one.add_argument(f"--{name}", type=int, default=0, metavar="N")
    one.add_argument("--batch", action="store_true", help="as deferred work")
    for action in actions.choices.values():
        configuration.add_config(action, again=True)
        action.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="for programs"
        )


def run(args: argparse.Namespace) -> int:
    settings = configuration.read(args, quiet=True).settings
    try:
        table = settings_prices(settings)
        if args.action == "check":
            return _check(settings, table, args.file)
        if args.action == "update":
            return _update(settings, table, Path(args.file))
        if args.action == "cost":
            return _cost(table, args)
    except ConfigError as error:
        raise exits.Failure(error.message) from None
    rows = [_row(kind, model, price) for kind, model, price in table.items()]
    print(json.dumps(rows) if args.json else f"{_table(rows)}\n\nversion {table.version}")
    return exits.OK


def unpriced(settings: Settings, table: PriceTable) -> list[str]:
    """Configured targets whose price nobody knows, each once."""
    missing = []
    for model in settings.models.values():
        for text in model.chain:
            upstream, name = parse_target(text)
            section = settings.upstreams.get(upstream)
            if section is not None and (section.kind, name) not in table:
                missing.append(text)
    return list(dict.fromkeys(missing))


def _check(settings: Settings, table: PriceTable, file: str | None) -> int:
    if file is not None:
        wanted = load_prices(file)
        changes = _changes(table, wanted)
        print("\n".join(changes) or "It changes nothing.")
        table = wanted
    missing = unpriced(settings, table)
    if missing:
        print("Without a price: " + ", ".join(missing))
        print('Their cost is unknown, not zero: add [KIND."MODEL"] with input and output.')
        return exits.FAILED
    print("Every configured model has a price.")
    return exits.OK


def _update(settings: Settings, table: PriceTable, file: Path) -> int:
    changes = _changes(table, load_prices(str(file)))
    target = own_prices(settings)
    fresh = target.with_name(target.name + ".new")
    try:
        text = file.read_bytes()
        target.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(target)
    except OSError as error:
        raise exits.Failure(f"{target} cannot be written ({error.strerror})") from None
    print("\n".join(changes) or "It changes nothing.")
    print(f"Taken in as {target}. A running hub uses it after a reload (SIGHUP).")
    return exits.OK


def _changes(old: PriceTable, new: PriceTable) -> list[str]:
    before = {(kind, model): price for kind, model, price in old.items()}
    out = []
    for kind, model, price in new.items():
        was = before.get((kind, model))
        if was is None:
            out.append(f"new      {kind}/{model}  {_words(price.rates)}")
        elif was != price:
            words = f"{_words(was.rates)} -> {_words(price.rates)}"
            out.append(f"changed  {kind}/{model}  {words}")
    return out


def _cost(table: PriceTable, args: argparse.Namespace) -> int:
    try:
        kind, model = parse_target(args.model)
    except ValueError as error:
        raise exits.Failure(str(error)) from None
    price = table.find(kind, model)
    if price is None:
        raise exits.Failure(f"no price is known for {args.model}: see `pihub prices`")
    usage = Usage(
        input=args.input,
        output=args.output,
        cache_read=args.cache_read,
        cache_write_5m=args.cache_write_5m,
        cache_write_1h=args.cache_write_1h,
    )
    nano = cost(usage, price, images=args.images, batch=args.batch)
    print(json.dumps({"model": args.model, "cost_nano": nano}) if args.json else _usd(nano))
    return exits.OK


def _usd(nano: int) -> str:
    return f"{nano // 10**9}.{nano % 10**9:09d} USD"


def _words(rates: Rates) -> str:
    return f"{_number(rates.input)}/{_number(rates.output)}"


def _number(pico: int) -> str:
    return f"{pico / PICO_PER_USD:.6f}".rstrip("0").rstrip(".")


def _row(kind: str, model: str, price: Price) -> dict[str, Any]:
    rates = price.rates
    row: dict[str, Any] = {"model": f"{kind}/{model}"}
    for field in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"):
        row[field] = getattr(rates, field) / PICO_PER_USD
    row["image"] = rates.image / 10**12
    row["batch"] = price.batch_permille / 1000
    row["long_above"] = price.long_above or None
    return row


def _table(rows: list[dict[str, Any]]) -> str:
    head = ("MODEL", "INPUT", "OUTPUT", "READ", "WRITE 5m", "WRITE 1h", "BATCH", "LONG ABOVE")
    lines = [head]
    for row in rows:
        fields = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "batch")
        lines.append(
            (row["model"], *(f"{row[f]:g}" for f in fields), str(row["long_above"] or "-"))
        )
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    shown = ["USD a million tokens; BATCH: factor of deferred requests", ""]
    for line in lines:
        numbers = [text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True)]
        shown.append("  ".join([line[0].ljust(widths[0]), *numbers]))
    return "\n".join(shown)
