"""What came to /webhooks and was refused within a day: how much, when last, whose, and why."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import quote

from pihub.dashboard import words
from pihub.dashboard.parts import Card, Cell
from pihub.errors import InvalidSignature, MissingSignature, NotFound, StaleSignature, TooLarge
from pihub.shared.metrics import Route
from pihub.store.rows import Reports, RequestRow, Wanted

DAY = 86400
MOST = 200
"""Rows that are counted; more are "200 or more"."""
WHY = {
    InvalidSignature.code: "signed with another secret, or for another URL",
    MissingSignature.code: "not signed as its kind signs",
    StaleSignature.code: "its timestamp is more than five minutes off",
    NotFound.code: "no sender has this path",
    TooLarge.code: "larger than max_body",
}
LIST = "/dashboard/requests?route=webhook&status=4"


@dataclass(frozen=True, slots=True)
class Refused:
    """Of one sender, or of all."""

    rows: tuple[RequestRow, ...]
    """The newest first."""

    @classmethod
    def of_day(cls, store: Reports) -> Refused:
        """One look at the newest 20,000 requests at most: a millisecond or two."""
        wanted = Wanted(
            route=int(Route.WEBHOOK), status_from=400, status_to=499, since=int(time.time()) - DAY
        )
        return cls(tuple(store.search(wanted, MOST).rows))

    def by(self, sender: str) -> Refused:
        """Sender empty: those that came to a path which nobody has."""
        return Refused(tuple(row for row in self.rows if row.upstream == sender))

    @property
    def number(self) -> str:
        return f"{MOST} or more" if len(self.rows) >= MOST else words.count(len(self.rows))

    @property
    def last(self) -> str:
        return words.ago(self.rows[0].ts_ns / 1e9) if self.rows else ""

    @property
    def why(self) -> str:
        """Of the last one."""
        code = self.rows[0].error if self.rows else ""
        return WHY.get(code, code.replace("_", " "))

    def card(self) -> Card:
        whose = f"{self.rows[0].upstream or 'an unknown path'}, {self.last}" if self.rows else ""
        return Card(
            "Refused, 24 h", self.number, whose or "bad signatures and bodies",
            href=LIST, tone="look" if self.rows else "",
        )  # fmt: skip

    def cells(self, sender: str) -> tuple[Cell, Cell]:
        """How many, and when the last one was and why."""
        mine = self.by(sender)
        if not mine.rows:
            return Cell("0"), Cell("none in 24 hours")
        href = f"{LIST}&model={quote(sender)}" if sender else LIST
        return Cell(mine.number, href=href), Cell(mine.last, mine.why, tone="look")
