"""Budgets: what a key, a user, a tenant or a model may cost a day and a month.

They are kept by the running hub and in force at once. The hub's own limit is [money] in
pihub.toml.
"""

from __future__ import annotations

import argparse
import json
from typing import Any
from urllib.parse import quote

from pihub.cli import configuration, exits
from pihub.cli.control_client import NotRunning, call

EXAMPLE = """Examples:
  pihub budgets                                        # what is set, and what is left
  pihub budgets set key laptop --per-day 0.50
  pihub budgets set tenant kids --per-month 5 --at-limit ask
  pihub budgets approve 2 1.00                         # one more dollar today
  pihub budgets remove 2"""
SCOPES = ("key", "user", "tenant", "model")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    configuration.add_config(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="all budgets (the default)")
    one = actions.add_parser("set", help="make or change a budget")
    one.add_argument("scope", choices=SCOPES)
    one.add_argument("name", help="a key's or tenant's name or number, a user, a model")
    one.add_argument("--per-day", type=float, default=0.0, metavar="USD")
    one.add_argument("--per-month", type=float, default=0.0, metavar="USD")
    one.add_argument("--at-limit", choices=("refuse", "downgrade", "ask"), default="refuse")
    one.add_argument(
        "--soft", type=int, default=80, metavar="PERCENT", help="downgrade from here on (80)"
    )
    approve = actions.add_parser("approve", help="let more be spent today, or this month")
    approve.add_argument("id", type=int)
    approve.add_argument("usd", type=float)
    approve.add_argument("--month", action="store_true", help="this month, not only today")
    remove = actions.add_parser("remove", help="remove a budget")
    remove.add_argument("id", type=int)
    for action in actions.choices.values():
        configuration.add_config(action, again=True)
        action.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="for programs"
        )


def run(args: argparse.Namespace) -> int:
    from pihub.settings.paths import run_dir

    settings = configuration.read(args, quiet=True).settings
    socket = run_dir(settings) / "control.sock"
    try:
        if args.action == "set":
            value = {
                "scope": args.scope,
                "name": args.name,
                "per_day_usd": args.per_day,
                "per_month_usd": args.per_month,
                "soft_percent": args.soft,
                "at_limit": args.at_limit,
            }
            rows = [call(socket, "POST", "/budgets", value)]
        elif args.action == "approve":
            value = {"usd": args.usd, "period": "month" if args.month else "day"}
            rows = [call(socket, "POST", f"/budgets/{args.id}/approvals", value)]
        elif args.action == "remove":
            gone = call(socket, "DELETE", f"/budgets/{args.id}")
            print(f"The budget of {gone['scope']} {gone['name']} is removed.")
            return exits.OK
        else:
            rows = _all(socket)
    except NotRunning:
        raise exits.Failure("no hub is running here: start it with `pihub serve`") from None
    print(json.dumps(rows) if args.json else _table(rows))
    return exits.OK


def _all(socket: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    target = "/budgets?limit=1000"
    while True:
        page = call(socket, "GET", target)
        found += page["items"]
        if not page["next"]:
            return found
        target = f"/budgets?limit=1000&cursor={quote(page['next'])}"


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No budgets. Set one: pihub budgets set key laptop --per-day 0.50"
    lines = [("ID", "OF", "TODAY", "THIS MONTH", "AT THE LIMIT", "STATE")]
    for row in rows:
        lines.append(
            (
                str(row["id"]),
                f"{row['scope']} {row['name']}".strip(),
                _part(row["spent_today_usd"], row["per_day_usd"], row["approved_today_usd"]),
                _part(
                    row["spent_this_month_usd"],
                    row["per_month_usd"],
                    row["approved_this_month_usd"],
                ),
                row["at_limit"],
                row["state"],
            )
        )
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _part(spent: float, limit: float | None, extra: float) -> str:
    if limit is None:
        return f"{spent:.4f}"
    more = f" + {extra:.2f}" if extra else ""
    return f"{spent:.4f} of {limit:.2f}{more} USD"
