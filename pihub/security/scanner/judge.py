"""What is done about a finding: nothing, a note, a refusal.

The mode comes from the settings by path; an allowance of the admin for exactly this path,
place, field and rule lets it pass. Each note and refusal gets an id that the admin can look up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Protocol

from pihub.domain.finding import Finding
from pihub.domain.target import Principal
from pihub.errors import InputRefused, TooLarge
from pihub.settings.scanner import Mode, Scanner, ScannerRoute
from pihub.settings.sizes import parse_size
from pihub.shared.findings import Allowance
from pihub.shared.scanning import Found
from pihub.shared.scanning import Scanner as Core

NOBODY = Principal()
TOO_LARGE = (
    "the body is larger than the hub can judge (scanner.max_body; with files: scanner.max_upload)"
)
ACTIVE = ("application/xhtml+xml", "application/xslt+xml", "image/svg+xml")
"""XML that a browser runs: judged as markup, not as data."""
NOTE_AT = 0.75
"""The part of a threshold from which a value is noted though it passes."""


class Allowances(Protocol):
    def __contains__(self, row: Allowance, /) -> bool: ...


class Judge:
    """One a worker. RAM: none of its own."""

    def __init__(
        self,
        settings: Scanner,
        core: Core,
        allowed: Allowances,
        record: Callable[[Finding], None],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._settings = settings
        self._core = core
        self._allowed = allowed
        self._record = record
        self._clock = clock
        self._routes = sorted(settings.routes.items(), key=lambda item: -len(item[0]))
        self.max_body = parse_size(settings.max_body)
        self._max_upload = max(parse_size(settings.max_upload), self.max_body)

    def mode(self, path: str, place: str) -> tuple[Mode, int]:
        """(what to do, from how many points) for a place below a path."""
        route: ScannerRoute | None = None
        for prefix, candidate in self._routes:
            if path.startswith(prefix):
                route = candidate
                break
        settings = self._settings
        if place == "json":
            chosen = route or settings
            return chosen.body, chosen.body_at
        if place == "form":
            return settings.form if route is None else route.mode, settings.block_at
        at = settings.header_at if place == "header" else settings.block_at
        return (settings if route is None else route).mode, at

    def weigh(
        self, found: Found, path: str, who: Principal = NOBODY
    ) -> InputRefused | None:
        """The refusal, if it comes to one; what is only noted passes."""
        points, kind, rule, place, field, offset = found
        outer = "query" if place == "key" else place
        mode, at = self.mode(path, outer)
        if mode == "off" or points < at * NOTE_AT:
            return None
        finding = Finding(
            int.from_bytes(os.urandom(8)) >> 1, self._clock(), offset, who.tenant, points,
            mode == "block" and points >= at, kind, place, field, rule, path, who.key,
        )  # fmt: skip
        kept = Finding.unpack(finding.pack())
        if (kept.path, kept.place, kept.field, kept.rule) in self._allowed:
            return None
        self._record(finding)
        if not finding.blocked:
            return None
        what = f"the {outer} holds what looks like an attack ({kind}/{rule})"
        return InputRefused(
            f"{what}: refused as {finding.name}, by which an admin can look it up and allow it",
            param=outer,
            detail=finding.name,
        )

    def query(self, query: str, path: str, who: Principal = NOBODY) -> None:
        """A query that did not come with the request itself. Raises InputRefused."""
        found = self._core.request({"QUERY_STRING": query})
        error = None if found is None else self.weigh(found, path, who)
        if error is not None:
            raise error

    def takes_body(self, path: str, content_type: str) -> str:
        """The kind in which a body is judged, "" if it is not."""
        kind = body_kind(content_type)
        if not kind:
            return ""
        place = place_of(kind)
        return kind if self.mode(path, place)[0] != "off" else ""

    def body(self, data: bytes, kind: str, path: str, who: Principal = NOBODY) -> None:
        """Raises InputRefused, or TooLarge for one that is nested too deep, or a form with too
        much text beside its files."""
        place = place_of(kind)
        try:
            found, depth, _ = self._core.body(data, kind, place, self.max_body)
        except OverflowError:
            raise TooLarge(TOO_LARGE) from None
        if depth > self._settings.depth:
            raise TooLarge("the body is nested deeper than the hub accepts (scanner.depth)")
        if found is not None:
            if found[3] == "key":
                found = (*found[:3], place, *found[4:])
            error = self.weigh(found, path, who)
            if error is not None:
                raise error

    def too_large(self, size: int, kind: str, path: str) -> bool:
        """Whether a body of `size` must be refused because it cannot be judged whole. Files
        (multipart) pass where they would only be noted."""
        if kind == "multipart":
            return size > self._max_upload and self.whole(kind, path)
        return size > self.max_body

    def unseen(self, size: int, path: str, who: Principal, place: str = "form") -> None:
        """Notes a body that could not be judged: too long an upload, an unknown coding."""
        self._record(
            Finding(
                int.from_bytes(os.urandom(8)) >> 1, self._clock(), size, who.tenant, 0, False,
                "code", place, "", "not-judged", path, who.key,
            )
        )  # fmt: skip

    def whole(self, kind: str, path: str) -> bool:
        """Whether such a body may be refused there."""
        return self.mode(path, place_of(kind))[0] == "block"


def place_of(kind: str) -> str:
    """Where values of a body of a kind count as standing."""
    return "form" if kind in ("form", "multipart") else "json"


def body_kind(content_type: str) -> str:
    """json, form, multipart, xml or text; "" for what is not text (files, images)."""
    name = content_type.partition(";")[0].strip().lower()
    if name == "application/x-www-form-urlencoded":
        return "form"
    if name == "multipart/form-data":
        return "multipart"
    if name in ("application/json", "text/json") or name.endswith("+json"):
        return "json"
    if name in ("application/xml", "text/xml") or (name.endswith("+xml") and name not in ACTIVE):
        return "xml"
    if not name or name.startswith("text/") or name in ACTIVE:
        return "text"
    return ""
