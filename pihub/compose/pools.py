"""What a worker's connections to the upstreams and APIs do, told to everybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pihub.gateway.link import Link
from pihub.shared.health import UpstreamHealth
from pihub.upstream.connector.connector import Connector
from pihub.upstream.http_api import api_origin

if TYPE_CHECKING:
    from pihub.app import Hub


class Pools:
    """One worker's. Upstreams at one origin share their connections, and tell the same."""

    def __init__(
        self, hub: Hub, slot: int, connector: Connector, links: Mapping[str, Link]
    ) -> None:
        self._pairs = [
            (one.health, connector.pool(one.origin, one.pool)) for one in links.values()
        ]
        for name, api in hub.settings.apis.items():
            origin, _ = api_origin(api, name)
            health = UpstreamHealth(hub.state, hub.rows[name], slot)
            self._pairs.append((health, connector.pool(origin, api.pool)))

    def tell(self) -> None:
        """About once a second; three words of the arena each."""
        for health, pool in self._pairs:
            health.pool(pool.stats())
