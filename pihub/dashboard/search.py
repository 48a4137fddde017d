"""Filtered requests: what the reader asked for, and what is looked for in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from pihub.domain.event import Reason
from pihub.errors import BadRequest
from pihub.shared.events import CacheState, Flag
from pihub.shared.metrics import Route
from pihub.store.rows import Hits, Reports, Wanted

PAGE = 50
LONGEST = 100
NAMES = ("show", "model", "before", "key", "route", "status", "slower")
"""Of the parameters."""
MAX_ID = (1 << 63) - 1
KEPT = (CacheState.HIT, CacheState.SHARED, CacheState.STALE)

SHOWS: dict[str, tuple[str, Wanted]] = {
    "all": ("All", Wanted()),
    "errors": ("Errors", Wanted(status_from=400)),
    "fallbacks": (
        "Fallbacks", Wanted(reasons=(Reason.FALLBACK_UNREACHABLE, Reason.FALLBACK_REJECTED))
    ),
    "hits": ("From the cache", Wanted(caches=tuple(map(int, KEPT)))),
    "streams": ("Streams", Wanted(flags=int(Flag.STREAM))),
    "paid": ("Cost money", Wanted(paid=True)),
    "saved": ("Saved money", Wanted(saved=True)),
    "left": ("Client left", Wanted(flags=int(Flag.CLIENT_GONE))),
}  # fmt: skip
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

    @property
    def wanted(self) -> Wanted:
        found = SHOWS[self.show][1]._replace(
            part=self.model,
            key=self.key or None,
            route=ROUTES[self.route] if self.route else None,
            slower_us=self.slower * 1000,
        )
        if not self.status:
            return found
        low = int(self.status) * 100
        return found._replace(status_from=max(found.status_from, low), status_to=low + 99)

    def _of_show(self, show: str) -> str:
        return replace(self, show=show).link(None)


def _number(params: Mapping[str, Any], name: str, most: int, least: int = 0) -> int:
    """0 if it is not given. Raises BadRequest."""
    text = params.get(name) or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise BadRequest(f"{name} must be a whole number", param=name)
    return int(text)


def find(store: Reports, query: Query) -> Hits:
    """At most PAGE rows; `edge` is where to go on. Raises StoreFault."""
    return store.search(query.wanted, PAGE, edge=query.before)
