"""What a screen of the menu is, and the one resource that shows each of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import falcon

from pihub.dashboard.parts import Editor, Form, Line, Part, Screen, Table, actions_for
from pihub.security.actor import Actor

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
    tenanted: bool = False
    """It shows a tenant's people what is theirs; else it is not for them."""

    def open_to(self, actor: Actor) -> bool:
        return actor.may(self.permission) and (actor.tenant is None or self.tenanted)


class Render(Protocol):
    """What the page's templates offer (pages.Templates)."""

    def answer(
        self, resp: falcon.Response, name: str, actor: Actor | None = None, **values: Any
    ) -> None: ...


class ScreenPage:
    """GET /dashboard/NAME"""

    def __init__(self, entry: Entry, services: Any, templates: Render) -> None:
        self.permission = entry.permission
        self.tenanted = entry.tenanted
        self._entry = entry
        self._services = services
        self._templates = templates

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        asked = {name: value for name, value in req.params.items() if isinstance(value, str)}
        actor: Actor | None = req.env.get("pihub.actor")
        sources = self._services
        if actor is not None and actor.tenant is not None:
            sources = sources.of_tenant(actor.tenant)
        screen = self._entry.build(sources, asked)
        may = frozenset() if actor is None else actor.permissions
        self._templates.answer(
            resp,
            self._entry.template,
            actor,
            page=self._entry.name,
            reader=actor is not None and actor.kind == "nobody",
            screen=dataclasses.replace(
                screen, parts=tuple(_allowed(part, may) for part in screen.parts)
            ),
        )

    on_head = on_get


def _allowed(part: Part, may: frozenset[str]) -> Part:
    """Without the actions that this person may not do: no button that only refuses."""
    if isinstance(part, Form | Editor):
        return dataclasses.replace(part, locked=part.locked or "config:write" not in may)
    if not isinstance(part, Table):
        return part
    lines = tuple(Line(one.cells, actions_for(one.actions, may)) for one in part.lines)
    return dataclasses.replace(part, lines=lines, forms=actions_for(part.forms, may))
