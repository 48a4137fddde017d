"""Keys and secrets: from environment variables or files, never from the TOML."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping

from pihub.settings.faults import Faults, Path
from pihub.settings.schema import Settings

MAX_BYTES = 16 * 1024
"""Of a key file: a key is short, and a header must hold it."""

_PLAIN_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def read(settings: Settings, environ: Mapping[str, str], faults: Faults) -> dict[str, bytes]:
    """The key of each upstream and API that has one, by name; others by `SECTION.NAME`."""
    found: dict[str, bytes] = {}
    for section, what in (
        ("upstreams", "api_key"),
        ("apis", "api_key"),
        ("webhooks", "secret"),
        ("subscribers", "secret"),
        ("actions", "key"),
    ):
        for name, target in getattr(settings, section).items():
            secret = _one((section, name), target, what, environ, faults)
            if secret is not None:
                found[name if what == "api_key" else f"{section}.{name}"] = secret
    collector = _one(("otel",), settings.otel, "headers", environ, faults)
    if collector is not None:
        found["otel."] = collector
    return found


def _one(
    path: Path, target: object, what: str, environ: Mapping[str, str], faults: Faults
) -> bytes | None:
    variable: str = getattr(target, f"{what}_env")
    name: str = getattr(target, f"{what}_file")
    if variable and name:
        return None  # which of them is unknown: a fault of its own
    if variable:
        where = (*path, f"{what}_env")
        if faults.at(where):
            return None
        text = environ.get(variable, "").strip()
        if not text:
            plain = _PLAIN_NAME.fullmatch(variable)
            named = f"variable {variable}" if plain else "variable that it names"
            faults.add(where, f"the environment {named} is not set: set it, or remove this key")
            return None
        return _judged(where, os.fsencode(text), faults)
    if name:
        where = (*path, f"{what}_file")
        if faults.at(where):
            return None
        try:
            with open(name, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(MAX_BYTES + 1).strip()
        except OSError as exc:
            faults.add(where, f"cannot read {name}: {exc.strerror}")
            return None
        if stat.S_ISREG(mode) and mode & 0o077:
            faults.warn(where, f"others may read it: chmod 600 {name}")
        return _judged(where, data, faults)
    return None


def _judged(where: Path, data: bytes, faults: Faults) -> bytes | None:
    """A key goes into a header field: visible ASCII in one line (RFC 9110 5.5)."""
    if not data or len(data) > MAX_BYTES:
        faults.add(where, "the key is empty" if not data else "the file is too large for a key")
        return None
    if any(byte < 33 or byte > 126 for byte in data):
        faults.add(where, "the key holds a space, a line break or another odd character")
        return None
    return data
