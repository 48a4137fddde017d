"""The judging of prompts as a bill of materials."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pihub.domain.finding import Finding
from pihub.gateway.prompts.finder import Finder
from pihub.gateway.prompts.guard import Guard, Modes
from pihub.http.data.routes import EDGE_ROUTES
from pihub.settings.addresses import is_private
from pihub.settings.routing_rules import local
from pihub.settings.schema import Settings
from pihub.settings.sizes import parse_size
from pihub.shared.findings import Allowed
from pihub.shared.metrics import Column

if TYPE_CHECKING:
    from pihub.app import Hub


def prompt_guard(hub: Hub, slot: int) -> Guard | None:
    """One worker's; None if nobody wants prompts judged."""
    settings, state = hub.settings, hub.state
    wanted = settings.prompts
    models = {
        name: wanted.of_model(settings, name) for name, _ in hub.models.chains()
    }
    named = [int(text.partition("=")[0]) for text in wanted.keys]
    keys = {number: wanted.of_key(number) for number in named}
    if {wanted.mode, *models.values(), *keys.values()} == {"off"}:
        return None

    def record(finding: Finding) -> None:
        state.findings.push(slot, finding)

    def count(column: Column) -> None:
        state.counters.add(slot, column, 1)

    return Guard(
        Modes(wanted.mode, keys, models),
        Finder(wanted.checks, wanted.injection_at, parse_size(wanted.max_text)),
        at_home(settings),
        state.arena.secret,
        Allowed(state.allowed),
        record,
        count,
        {number: path for path, number in reversed(EDGE_ROUTES.items())},
    )


def at_home(settings: Settings) -> frozenset[str]:
    """Upstreams that count as local and whose address is surely inside the house."""
    inside = local(settings)
    return frozenset(
        name
        for name, one in settings.upstreams.items()
        if name in inside and is_private(urlsplit(one.url).hostname or "")
    )
