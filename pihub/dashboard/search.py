"""Filtered requests: the newest that match, looked for within a bounded number of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from pihub.domain.event import Reason
from pihub.errors import BadRequest
from pihub.shared.events import CacheState, Flag
from pihub.shared.metrics import Route
from pihub.store.rows import Reports, RequestRow

PAGE = 50
BATCH = 500
MOST_SCANNED = 4000
"""Rows looked at for one page: 2 MiB at a time and some 20 ms of the control process."""
LONGEST = 100
NAMES = ("show", "model", "before", "key", "route", "status", "slower")
"""Of the parameters."""
MAX_ID = (1 << 63) - 1
KEPT = (CacheState.HIT, CacheState.SHARED, CacheState.STALE)
FALLBACKS = range(Reason.FALLBACK_UNREACHABLE, Reason.FALLBACK_REJECTED + 1)

SHOWS: dict[str, tuple[str, Callable[[RequestRow], bool]]] = {
    "all": ("All", lambda row: True),
    "errors": ("Errors", lambda row: row.status >= 400),
    "fallbacks": ("Fallbacks", lambda row: row.reason in FALLBACKS),
    "hits": ("From the cache", lambda row: row.cache in KEPT),
    "streams": ("Streams", lambda row: bool(row.flags & Flag.STREAM)),
    "paid": ("Cost money", lambda row: bool(row.cost_nano)),
    "saved": ("Saved money", lambda row: bool(row.saved_nano)),
    "left": ("Client left", lambda row: bool(row.flags & Flag.CLIENT_GONE)),
}
CLASSES = ("2", "3", "4", "5")
"""First digits of a status."""
ROUTES = {one.name.lower(): one for one in Route}
SLOWEST = 3_600_000


@dataclass(frozen=True, slots=True)
class Query:
    """What the reader asked for."""

    show: str = "all"
    model: str = ""
    """Part of the name asked for, or of what answered."""
    before: int | None = None
    key: int = 0
    """Number of the API key; 0: any."""
    route: str = ""
    status: str = ""
    """A first digit."""
    slower: int = 0
    """Took so many milliseconds or more."""

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Query:
        """Raises BadRequest."""
        for name, value in params.items():
            if name not in NAMES or not isinstance(value, str):
                raise BadRequest(f"the parameter {name[:50]!r} is unknown or given twice")
        show = params.get("show") or "all"
        if show not in SHOWS:
            raise BadRequest(f"show must be one of {', '.join(SHOWS)}", param="show")
        model = params.get("model", "").strip()
        if len(model) > LONGEST:
            raise BadRequest(f"model may have {LONGEST} characters", param="model")
        route, status = params.get("route") or "", params.get("status") or ""
        if route and route not in ROUTES:
            raise BadRequest(f"route must be one of {', '.join(ROUTES)}", param="route")
        if status and status not in CLASSES:
            raise BadRequest(f"status must be one of {', '.join(CLASSES)}", param="status")
        return cls(
            show,
            model,
            _number(params, "before", MAX_ID, 1) if params.get("before") else None,
            _number(params, "key", MAX_ID),
            route,
            status,
            _number(params, "slower", SLOWEST),
        )

    @property
    def shows(self) -> list[dict[str, Any]]:
        """The choices, each with its address."""
        return [
            {"name": name, "label": label, "here": name == self.show, "url": self._of_show(name)}
            for name, (label, _) in SHOWS.items()
        ]

    @property
    def filtered(self) -> bool:
        return bool(self.model or self.key or self.route or self.status or self.slower)

    def link(self, before: int | None) -> str:
        """The same search from another request on."""
        given = asdict(replace(self, before=before))
        return "/dashboard/requests?" + urlencode({k: v for k, v in given.items() if v})

    def matches(self, row: RequestRow) -> bool:
        wanted = self.model.lower()
        names = (row.alias, row.model, f"{row.upstream}/{row.model}")
        return (
            SHOWS[self.show][1](row)
            and (not self.key or row.key == self.key)
            and (not self.route or row.route == ROUTES[self.route])
            and (not self.status or row.status // 100 == int(self.status))
            and row.dur_us >= self.slower * 1000
            and (not wanted or any(wanted in name.lower() for name in names))
        )

    def _of_show(self, show: str) -> str:
        return replace(self, show=show).link(None)


def _number(params: Mapping[str, Any], name: str, most: int, least: int = 0) -> int:
    """0 if it is not given. Raises BadRequest."""
    text = params.get(name) or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise BadRequest(f"{name} must be a whole number", param=name)
    return int(text)


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
