"""What types cannot say of CORS and TLS."""

from __future__ import annotations

import re
from pathlib import Path

from pihub.settings.faults import Faults
from pihub.settings.schema import Settings

_ORIGIN = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")


def check(settings: Settings, faults: Faults) -> None:
    """Every fault of the origins and of the server's own certificate."""
    server = settings.server
    for name in ("cors_origins", "cors_production"):
        path = ("server", name)
        for origin in getattr(server, name):
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                faults.add(
                    path, f'"{origin}" is no origin: write it such as "https://chat.example:8443"'
                )
        if "*" in getattr(server, name) and server.cors_credentials:
            faults.add(
                path, '"*" cannot go with cors_credentials: any page could use a visitor\'s login'
            )
    if "*" in server.cors_production:
        faults.add(("server", "cors_production"), 'name the origins: "*" is not for production')
    if bool(server.tls_cert) != bool(server.tls_key):
        faults.add(("server", "tls_cert"), "tls_cert and tls_key go together")
    elif server.tls_cert and server.engine == "meinheld":
        faults.add(
            ("server", "tls_cert"),
            'the engine meinheld speaks no TLS: set server.engine = "gthread", or leave the '
            "certificate to a proxy in front (pihub edge caddy)",
        )
    for name in ("tls_cert", "tls_key"):
        value = getattr(server, name)
        if value and not Path(value).is_file():
            faults.add(("server", name), f"there is no file {value}")
