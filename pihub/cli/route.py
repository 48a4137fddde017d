"""Say how the hub routes: `explain` shows why a prompt counts as easy or hard."""

from __future__ import annotations

import argparse
import json
import sys

from pihub.cli import exits

EXAMPLE = """Examples:
  pihub route explain "What is the capital of France?"
  pihub route explain --share 0.3 - < prompt.txt"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    explain = what.add_parser("explain", help="why a prompt goes to the weak or the strong model")
    explain.add_argument("prompt", help="the prompt, or - for standard input")
    explain.add_argument(
        "--share",
        type=float,
        default=0.5,
        metavar="X",
        help="share of prompts for the strong model, 0 to 1 (a model's strong_share)",
    )
    explain.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    from pihub.shared.difficulty import load

    if not 0 <= args.share <= 1:
        raise exits.Failure("--share is between 0 and 1", exits.USAGE)
    prompt = sys.stdin.read() if args.prompt == "-" else args.prompt
    found = load().explain(prompt)
    strong = found.rank >= 1 - args.share
    if args.json:
        shown = {
            "verdict": "strong" if strong else "weak",
            "score": found.score,
            "rank": found.rank,
            "experts": dict(found.experts),
            "causes": [{"what": cause.what, "adds": cause.adds} for cause in found.causes],
        }
        print(json.dumps(shown, indent=1))
        return exits.OK
    print(f"{'strong' if strong else 'weak'} model: expected gain {found.score:+.3f}, ", end="")
    print(f"more than {found.rank:.0%} of the training prompts")
    print("looks like:")
    for name, share in found.experts[:4]:
        print(f"  {share:6.1%}  {name}")
    print("because of (what each adds to the gain):")
    for cause in found.causes:
        print(f"  {cause.adds:+7.4f}  {cause.what}")
    return exits.OK
