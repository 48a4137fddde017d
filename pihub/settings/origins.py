"""Which web origins may call the APIs: a list for each `access.mode`."""

from __future__ import annotations

from pihub.settings.schema import Settings


def cors_origins(settings: Settings) -> list[str]:
    server = settings.server
    production = settings.access.mode == "production"
    return server.cors_production if production else server.cors_origins
