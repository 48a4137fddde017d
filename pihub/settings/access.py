"""`[access]`: who may reach the control plane, and from where."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pihub.settings.section import Section


class Access(Section, frozen=True):
    mode: Literal["home", "production"] = "home"
    """production refuses to start below grade B of `pihub check --security`."""
    session_idle: Annotated[float, msgspec.Meta(ge=60, le=86400)] = 3600.0
    session_length: Annotated[float, msgspec.Meta(ge=300, le=2592000)] = 43200.0
    trusted_proxies: list[str] = []
    """Addresses whose X-Forwarded-For and -Proto are believed."""
