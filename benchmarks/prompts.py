"""What judging a chat's prompt costs: by its text, and with everything taken out of it."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import msgspec

from pihub.gateway.prompts.finder import Finder
from pihub.gateway.prompts.leaves import Leaves
from pihub.gateway.prompts.placeholder import Placeholders, hide
from pihub.settings.prompts import Prompts

SIZE = 10_000
PROSE = (
    "The quick brown fox asks the lazy dog how many words there are in this sentence; and then, "
    "without waiting for it, tells a story of the sea. "
)
CODE = (
    "def total(items: list[Item]) -> int:\n    return sum(item.price * item.count for item in "
    "items if item.id != 4711)  # 2026-11-29 10:15:00\n"
)
FOUND = "Write to {n}.smith@mail.example.org, card 4111 1111 1111 1111, before Monday evening. "


def texts() -> dict[str, str]:
    """Of `SIZE` bytes each."""
    mixed = PROSE + CODE
    found = "".join(FOUND.format(n=f"person{n}") + PROSE for n in range(60))
    return {
        name: (text * (SIZE // len(text) + 1))[:SIZE]
        for name, text in (("prose", PROSE), ("prose and code", mixed), ("findings", found))
    }


def body(text: str) -> bytes:
    """A chat of ten turns that say it together."""
    turns = [text[at : at + SIZE // 10] for at in range(0, SIZE, SIZE // 10)]
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": turn} for n, turn in enumerate(turns)]
    return json.dumps({"model": "m", "messages": messages}).encode()


def judge(finder: Finder, data: bytes) -> bytes:
    """As a request of a redacting key."""
    tree = msgspec.json.decode(data)
    leaves = Leaves(tree)
    report = finder.judge(leaves)
    if not report.hits:
        return data
    hide(leaves.leaves, report.hits, Placeholders(b"k" * 32, 1))
    return msgspec.json.encode(tree)


def run(args: argparse.Namespace) -> int:
    """Prints microseconds of processor time a chat of 10 kB: median of all rounds."""
    finder = Finder(Prompts().checks, 60, 1 << 20)
    found = {}
    for name, text in texts().items():
        data, times = body(text), []
        for _ in range(20 * args.rounds):
            start = time.process_time()
            judge(finder, data)
            times.append(time.process_time() - start)
        found[name] = round(statistics.median(times) * 1e6)
        print(f"{name:>16}: {found[name]:6} µs a chat of {SIZE} bytes")
    if args.json:
        Path(args.json).write_text(json.dumps(found))
    return 0
