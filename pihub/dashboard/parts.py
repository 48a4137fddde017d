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
    fixed: tuple[tuple[str, str | int | tuple[int, ...]], ...] = ()
    """Fields of the body that nobody types."""
    sure: str = ""
    permission: str = ""
    shows: str = ""
    """A field of the answer that is shown once, such as a new key's token."""
    reloads: bool = False
    """The hub reloads after it: the page waits for that."""


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
    id: str = ""
    """What others ask for it by: whole, and selected whole at a click."""


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
    folded: bool = False
    """Only its title is seen until somebody opens it."""
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

    @property
    def top_text(self) -> str:
        """The highest bar's number."""
        for one in self.bars:
            if one.value == self.top:
                return one.text
            if one.second == self.top:
                return one.second_text
        return ""

    @property
    def single(self) -> str:
        """Where fewer than two steps have anything: the sentence that says more than a chart."""
        some = [one for one in self.bars if one.value or one.second]
        if not some:
            return "Nothing yet."
        if len(some) > 1:
            return ""
        one = some[0]
        told = zip(self.series, (one.text, one.second_text), strict=False)
        said = ", ".join(f"{name.lower()} {text}" for name, text in told if text)
        return f"So far only {one.label}: {said}."


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, or preformatted text."""

    title: str
    text: str
    pre: bool = False
    copy: bool = False
    """With a button that copies it."""
    kind: Literal["text"] = "text"


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over time, with their numbers as a table behind. A gap where nothing is known."""

    title: str
    times: tuple[float, ...]
    """Unix seconds, growing."""
    values: tuple[float, ...]
    texts: tuple[str, ...]
    """The values as people read them."""
    low: float
    high: float
    """Ends of the scale."""
    low_text: str
    high_text: str
    note: str = ""
    limit: float | None = None
    limit_text: str = ""
    kind: Literal["plot"] = "plot"

    WIDTH = 720
    HEIGHT = 120
    GAP = 900.0
    """Seconds without a sample that break the line."""

    @property
    def path(self) -> str:
        """`M0,12L3,14...` in the viewBox of WIDTH by HEIGHT."""
        begin, end = self.times[0], self.times[-1]
        out, last = [], float("-inf")
        for at, value in zip(self.times, self.values, strict=True):
            x = self.WIDTH * (at - begin) / max(end - begin, 1.0)
            pen = "M" if at - last > self.GAP else "L"
            out.append(f"{pen}{x:.1f},{self.height(value):.1f}")
            last = at
        return "".join(out)

    @property
    def limit_height(self) -> float | None:
        """None: there is no limit, or it lies beyond the scale."""
        if self.limit is None or not self.low <= self.limit <= self.high:
            return None
        return self.height(self.limit)

    def height(self, value: float) -> float:
        part = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.HEIGHT * (1 - max(0.0, min(1.0, part)))

    @property
    def rows(self) -> tuple[tuple[float, str], ...]:
        """For the table: at most two dozen, the newest first."""
        step = -(-len(self.times) // 24) or 1
        pairs = list(zip(self.times, self.texts, strict=True))
        return tuple(pairs[::-1][::step])


@dataclass(frozen=True, slots=True)
class Step:
    """One bar of a waterfall; microseconds."""

    label: str
    start: int
    length: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Steps one after the other over a common time, a table with a bar in each row."""

    title: str
    steps: tuple[Step, ...]
    total: int
    note: str = ""
    kind: Literal["waterfall"] = "waterfall"


@dataclass(frozen=True, slots=True)
class Chips:
    """Links of which one is chosen: what the page shows."""

    title: str
    links: tuple[tuple[str, str, bool], ...]
    """(label, href, whether it is this one)"""
    kind: Literal["chips"] = "chips"


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the configuration as an input."""

    key: str
    kind: str
    """text, number, bool, select, list, or either: a number or a word."""
    value: str
    choices: tuple[str, ...]
    meaning: str
    default: str
    origin: str
    locked: str = ""
    """Why it cannot be changed here."""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """Keys that are changed together; settings.js tries and applies them."""

    title: str
    settings: tuple[Setting, ...]
    note: str = ""
    locked: bool = False
    kind: Literal["form"] = "form"


@dataclass(frozen=True, slots=True)
class Editor:
    """A whole text to change."""

    title: str
    text: str
    note: str = ""
    locked: bool = False
    kind: Literal["editor"] = "editor"


Part = Cards | Table | Bars | Plot | Text | Chips | Form | Editor | Waterfall


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
