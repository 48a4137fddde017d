"""The exporter of traces and metrics, where a collector is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pihub.app import Hub
    from pihub.insight.otel import OtelExporter


def otel_exporter(hub: Hub) -> OtelExporter | None:
    """None without `otel.endpoint`: then nothing of it is even imported."""
    settings = hub.settings.otel
    if not settings.endpoint:
        return None
    from pihub.insight.metrics import render
    from pihub.insight.otel import OtelExporter

    state, health, targets = hub.state, hub.health, hub.models.all_targets()
    kinds = {name: upstream.kind for name, upstream in hub.settings.upstreams.items()}
    return OtelExporter(
        settings,
        hub.loaded.secrets.get("otel."),
        state.traces,
        state.arena.boot_id,
        state.names.lookup,
        kinds,
        lambda: render(state, health, targets).decode().splitlines(),
    )
