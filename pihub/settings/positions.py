"""Where each key of a TOML text stands: tomllib tells values, not lines.

The text has already been read by tomllib, so the scanner may trust it to be TOML 1.0.
"""

from __future__ import annotations

import tomllib
from typing import NamedTuple

from pihub.settings.faults import Path

_SPACE = " \t"


def positions(text: str) -> dict[Path, int]:
    """Line (from 1) of every table header and every key, inline tables included."""
    scanner = _Scanner(text)
    scanner.run()
    return scanner.found


class Spans(NamedTuple):
    """Offsets into a text."""

    values: dict[Path, tuple[int, int]]
    """Of each key, where its value begins and ends."""
    tables: dict[Path, int]
    """Of each table with a header of its own, where the line after the header begins."""


def spans(text: str) -> Spans:
    """Where a change of a value has to be made."""
    scanner = _Scanner(text)
    scanner.run()
    tables = {(): 0} | {path: min(at, len(text)) for path, at in scanner.tables.items()}
    return Spans(scanner.values, tables)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text + "\n"
        self._at = 0
        self._line = 1
        self.found: dict[Path, int] = {}
        self.values: dict[Path, tuple[int, int]] = {}
        self.tables: dict[Path, int] = {}

    def run(self) -> None:
        table: Path = ()
        while True:
            self._skip(" \t\r\n")
            if self._at >= len(self._text):
                return
            if self._peek() == "[":
                self._take(2 if self._text.startswith("[[", self._at) else 1)
                table = self._key()
                self._note(table)
                self._to_line_end()
                self.tables[table] = self._at + 1
            else:
                self._pair(table)

    def _pair(self, table: Path) -> None:
        key = table + self._key()
        self._note(key)
        self._skip(_SPACE + "=")
        start = self._at
        self._value(key)
        # A number or a word ends before the blanks in front of a comment.
        end = start + len(self._text[start : self._at].rstrip())
        self.values[key] = (start, end)

    def _note(self, path: Path) -> None:
        for end in range(1, len(path) + 1):
            self.found.setdefault(path[:end], self._line)

    def _peek(self) -> str:
        return self._text[self._at]

    def _take(self, count: int) -> str:
        piece = self._text[self._at : self._at + count]
        self._line += piece.count("\n")
        self._at += count
        return piece

    def _skip(self, chars: str) -> None:
        """Skip these characters, and comments where line ends may be skipped."""
        while self._at < len(self._text):
            if self._peek() == "#" and "\n" in chars:
                self._to_line_end()
            elif self._peek() in chars:
                self._take(1)
            else:
                return

    def _to_line_end(self) -> None:
        self._at = self._text.index("\n", self._at)

    def _key(self) -> Path:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            if self._peek() in "\"'":
                quoted = self._string()
                parts.append(str(tomllib.loads(f"k = {quoted}")["k"]))
            else:
                start = self._at
                while self._peek() not in " \t.=]\r\n":
                    self._at += 1
                parts.append(self._text[start : self._at])
            self._skip(_SPACE)
            if self._peek() != ".":
                return tuple(parts)
            self._take(1)

    def _string(self) -> str:
        quote = self._peek()
        triple = quote * 3
        start = self._at
        if self._text.startswith(triple, self._at):
            self._take(3)
            while not self._text.startswith(triple, self._at):
                self._take(2 if quote == '"' and self._peek() == "\\" else 1)
            self._take(3)
            while self._peek() == quote:  # up to two quotes may end the content
                self._take(1)
        else:
            self._take(1)
            while self._peek() != quote:
                self._take(2 if quote == '"' and self._peek() == "\\" else 1)
            self._take(1)
        return self._text[start : self._at]

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        char = self._peek()
        if char in "\"'":
            self._string()
        elif char == "[":
            self._take(1)
            self._skip(" \t\r\n,")
            while self._peek() != "]":
                self._value(path)
                self._skip(" \t\r\n,")
            self._take(1)
        elif char == "{":
            self._take(1)
            self._skip(" \t\r\n,")
            while self._peek() != "}":
                self._pair(path)
                self._skip(" \t\r\n,")
            self._take(1)
        else:
            while self._peek() not in ",]}#\r\n":
                self._take(1)
