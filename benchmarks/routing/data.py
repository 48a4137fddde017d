"""Prompts with the outcome of a weak and a strong model: one JSON object a line.

Fields: `id`, `prompt`, `weak_ok` and `strong_ok` (0 to 1); optional `turn2` (a second
user turn) and `tools` (their definitions). A file is a source, its name the source's.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    source: str
    text: str
    weak: float
    strong: float

    @property
    def gain(self) -> float:
        return self.strong - self.weak

    def fold(self, folds: int, prefix: int = 0) -> int:
        """Prompts of the same words stand in one fold, whatever their source; with `prefix`
        those of the same first characters."""
        words = " ".join(self.text.lower().split())
        return zlib.crc32(words[: prefix or None].encode()) % folds


def read(folder: Path) -> list[Row]:
    """All rows of all `*.jsonl`. Raises SystemExit if there are none."""
    rows = []
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                one = json.loads(line)
                rows.append(
                    Row(path.stem, text_of(one), float(one["weak_ok"]), float(one["strong_ok"]))
                )
    if not rows:
        raise SystemExit(f"no *.jsonl in {folder}")
    return rows


def text_of(one: dict[str, object]) -> str:
    """What the router gets to see: the user's words, then the tools."""
    text = str(one["prompt"])
    if one.get("turn2"):
        text += "\n" + str(one["turn2"])
    if one.get("tools"):
        text += "\n" + json.dumps(one["tools"])
    return text
