"""Filtered requests: the newest that match, looked for within a bounded number of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from pihub.domain.event import Reason
from pihub.errors import BadRequest
from pihub.shared.events import CacheState, Flag
from pihub.store.rows import Reports, RequestRow

PAGE = 50
BATCH = 500
MOST_SCANNED = 4000
"""Rows looked at for one page: 2 MiB at a time and some 20 ms of the control process."""
LONGEST = 100
MAX_ID = (1 << 63) - 1
KEPT = (CacheState.HIT, CacheState.SHARED, CacheState.STALE)
FALLBACKS = range(Reason.FALLBACK_UNREACHABLE, Reason.FALLBACK_REJECTED + 1)

SHOWS: dict[str, tuple[str, Callable[[RequestRow], bool]]] = {
    "all": ("All", lambda row: True),
    "errors": ("Errors", lambda row: row.status >= 400),
    "fallbacks": ("Fallbacks", lambda row: row.reason in FALLBACKS),
    "hits": ("From the cache", lambda row: row.cache in KEPT),
    "streams": ("Streams", lambda row: bool(row.flags & Flag.STREAM)),
}


@dataclass(frozen=True, slots=True)
class Query:
    """What the reader asked for."""

    show: str = "all"
    model: str = ""
    """Part of the name asked for, or of what answered."""
    before: int | None = None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Query:
        """Raises BadRequest."""
        for name, value in params.items():
            if name not in ("show", "model", "before") or not isinstance(value, str):
                raise BadRequest(f"the parameter {name[:50]!r} is unknown or given twice")
        show = params.get("show") or "all"
        if show not in SHOWS:
            raise BadRequest(f"show must be one of {', '.join(SHOWS)}", param="show")
        model = params.get("model", "").strip()
        if len(model) > LONGEST:
            raise BadRequest(f"model may have {LONGEST} characters", param="model")
        before = params.get("before") or None
        if before is not None and not (
            before.isascii() and before.isdigit() and len(before) < 20 and 0 < int(before) <= MAX_ID
        ):
            raise BadRequest("before must be a request's number", param="before")
        return cls(show, model, int(before) if before else None)

    @property
    def shows(self) -> list[dict[str, Any]]:
        """The choices, each with its address."""
        return [
            {"name": name, "label": label, "here": name == self.show, "url": self._of_show(name)}
            for name, (label, _) in SHOWS.items()
        ]

    def link(self, before: int | None) -> str:
        """The same search from another request on."""
        other = replace(self, before=before)
        given = {"show": other.show, "model": other.model, "before": other.before}
        return "/dashboard/requests?" + urlencode({k: v for k, v in given.items() if v})

    def matches(self, row: RequestRow) -> bool:
        wanted = self.model.lower()
        names = (row.alias, row.model, f"{row.upstream}/{row.model}")
        return SHOWS[self.show][1](row) and (
            not wanted or any(wanted in name.lower() for name in names)
        )

    def _of_show(self, show: str) -> str:
        return replace(self, show=show).link(None)


class Found(NamedTuple):
    rows: list[RequestRow]
    scanned: int
    next: int | None
    """Continue before this one; None at the end of the records."""


def find(store: Reports, query: Query) -> Found:
    """At most PAGE rows. Raises StoreFault."""
    rows: list[RequestRow] = []
    before, scanned = query.before, 0
    while scanned < MOST_SCANNED:
        batch = store.recent(BATCH, before)
        for row in batch:
            scanned += 1
            before = row.id
            if query.matches(row):
                rows.append(row)
                if len(rows) == PAGE:
                    return Found(rows, scanned, before)
        if len(batch) < BATCH:
            return Found(rows, scanned, None)
    return Found(rows, scanned, before)
