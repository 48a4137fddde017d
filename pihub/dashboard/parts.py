"""What a screen is made of: cards, tables, bars, forms. Plain data; screen.html lays it out.

Texts are for people and are escaped by the template. An action names an operation of the
admin API (method and path): the page's script sends it, with the session's token.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["", "well", "look", "down", "idle"]


@dataclass(frozen=True, slots=True)
class Field:
    """One input. `kind` is the HTML type, or `select`; empty values are not sent."""

    name: str
    label: str
    kind: str = "text"
    value: str = ""
    choices: tuple[str | tuple[str, str], ...] = ()
    """Of a select: values, or (value, what people read)."""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """A button, or a form with a button. `sure`: asked before it is done."""

    label: str
    method: str
    path: str
    """Below /admin/api/v1."""
    fields: tuple[Field, ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()
    """Fields of the body that nobody types."""
    sure: str = ""
    permission: str = ""
    shows: str = ""
    """A field of the answer that is shown once, such as a new key's token."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell: a text, what stands small below it, where it leads."""

    text: str
    sub: str = ""
    href: str = ""
    tone: Tone = ""
    num: bool = False
    left: float = 0.0
    """Seconds that are counted down after the text."""


@dataclass(frozen=True, slots=True)
class Line:
    """A table's row."""

    cells: tuple[Cell, ...]
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """A big number."""

    label: str
    value: str
    sub: str = ""
    href: str = ""
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Cards:
    cards: tuple[Card, ...]
    kind: Literal["cards"] = "cards"


@dataclass(frozen=True, slots=True)
class Table:
    """`head`: titles; one that starts with `#` is of a column of numbers."""

    title: str
    head: tuple[str, ...]
    lines: tuple[Line, ...]
    empty: str
    note: str = ""
    forms: tuple[Action, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    """(label, href) below the table."""
    kind: Literal["table"] = "table"


@dataclass(frozen=True, slots=True)
class Bar:
    """One step of a bar chart; parts from 0 to 1."""

    label: str
    value: float
    text: str
    second: float = 0.0
    second_text: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar chart of one or two series, with the same numbers as a table behind it."""

    title: str
    bars: tuple[Bar, ...]
    series: tuple[str, ...]
    """Names of the one or two series."""
    kind: Literal["bars"] = "bars"

    @property
    def top(self) -> float:
        return max((max(one.value, one.second) for one in self.bars), default=0.0) or 1.0


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, or preformatted text."""

    title: str
    text: str
    pre: bool = False
    kind: Literal["text"] = "text"


Part = Cards | Table | Bars | Text


@dataclass(frozen=True, slots=True)
class Screen:
    """A page's whole content."""

    title: str
    parts: tuple[Part, ...]
    refresh: int = 0
    """Seconds after which the page looks again while it is seen; 0: never."""
    notes: tuple[str, ...] = field(default=())
    """Sentences above all else: what this is, what needs a look."""


def actions_for(actions: tuple[Action, ...], permissions: frozenset[str]) -> tuple[Action, ...]:
    """Those that this person may do."""
    return tuple(one for one in actions if not one.permission or one.permission in permissions)
