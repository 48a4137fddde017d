"""The dashboard's screens in the order of the menu, and the one resource that shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import falcon

from pihub.dashboard.parts import Line, Part, Screen, Table, actions_for

Build = Callable[[Any, Mapping[str, str]], Screen]
"""(services, the query's parameters) -> content. Raises PihubError."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One screen of the menu."""

    name: str
    """Below /dashboard/."""
    title: str
    permission: str
    build: Build
    template: str = "screen.html"


class Render(Protocol):
    """What the page's templates offer (pages.Templates)."""

    def answer(self, resp: falcon.Response, name: str, **values: Any) -> None: ...


class ScreenPage:
    """GET /dashboard/NAME"""

    def __init__(self, entry: Entry, services: Any, templates: Render) -> None:
        self.permission = entry.permission
        self._entry = entry
        self._services = services
        self._templates = templates

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        asked = {name: value for name, value in req.params.items() if isinstance(value, str)}
        screen = self._entry.build(self._services, asked)
        actor = req.env.get("pihub.actor")
        may = frozenset() if actor is None else actor.permissions
        self._templates.answer(
            resp,
            self._entry.template,
            page=self._entry.name,
            reader=actor is not None and actor.kind == "nobody",
            screen=dataclasses.replace(
                screen, parts=tuple(_allowed(part, may) for part in screen.parts)
            ),
        )

    on_head = on_get


def _allowed(part: Part, may: frozenset[str]) -> Part:
    """Without the actions that this person may not do: no button that only refuses."""
    if not isinstance(part, Table):
        return part
    lines = tuple(Line(one.cells, actions_for(one.actions, may)) for one in part.lines)
    return dataclasses.replace(part, lines=lines, forms=actions_for(part.forms, may))
