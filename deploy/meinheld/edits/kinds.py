"""The kinds of edit: replace a text, cut from one text up to another, drop a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Mismatch(Exception):
    """An edit does not match the source as often as it must."""


class Edit(Protocol):
    """One asserted change of one file (path relative to the sdist's root)."""

    @property
    def file(self) -> str: ...

    def on(self, text: str) -> str | None: ...


@dataclass(frozen=True)
class Replace:
    """Replace `old` by `new`; `old` must occur exactly `count` times."""

    file: str
    old: str
    new: str
    count: int = 1

    def on(self, text: str) -> str:
        found = text.count(self.old)
        if found != self.count:
            raise Mismatch(f"{self.file}: expected {self.count} x {self.old!r}, found {found}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Cut:
    """Replace everything from `start` (included) up to `end` (kept) by `new`.

    Both must occur exactly once, `start` first, `lines` apart.
    """

    file: str
    start: str
    end: str
    lines: int
    new: str = ""

    def on(self, text: str) -> str:
        for mark in (self.start, self.end):
            if text.count(mark) != 1:
                raise Mismatch(f"{self.file}: expected 1 x {mark!r}, found {text.count(mark)}")
        begin, end = text.index(self.start), text.index(self.end)
        lines = text[begin:end].count("\n") if begin < end else -1
        if lines != self.lines:
            raise Mismatch(f"{self.file}: {self.start!r} cuts {lines} lines, expected {self.lines}")
        return text[:begin] + self.new + text[end:]


@dataclass(frozen=True)
class Drop:
    """Remove the file; it must be there."""

    file: str

    def on(self, text: str) -> str | None:
        return None
