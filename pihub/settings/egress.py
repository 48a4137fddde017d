"""`[egress]`: where the hub may call beyond its upstreams."""

from __future__ import annotations

from pihub.settings.section import Section


class Egress(Section, frozen=True):
    allow: list[str] = []
    """Host names, addresses and networks that are not public and may be called all the same."""
