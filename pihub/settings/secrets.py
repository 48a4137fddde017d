"""The upstreams' keys: from environment variables or files, never from the TOML."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping

from pihub.settings.faults import Faults, Path
from pihub.settings.schema import Api, Settings, Upstream

MAX_BYTES = 16 * 1024
"""Of a key file: a key is short, and a header must hold it."""

_PLAIN_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def read(settings: Settings, environ: Mapping[str, str], faults: Faults) -> dict[str, bytes]:
    """The key of each upstream and API that has one, by name."""
    found: dict[str, bytes] = {}
    for section, table in (("upstreams", settings.upstreams), ("apis", settings.apis)):
        for name, target in table.items():
            secret = _one((section, name), target, environ, faults)
            if secret is not None:
                found[name] = secret
    return found


def _one(
    path: Path, target: Upstream | Api, environ: Mapping[str, str], faults: Faults
) -> bytes | None:
    if target.api_key_env and target.api_key_file:
        return None  # which of them is unknown: a fault of its own
    if target.api_key_env:
        where = (*path, "api_key_env")
        if faults.at(where):
            return None
        text = environ.get(target.api_key_env, "").strip()
        if not text:
            plain = _PLAIN_NAME.fullmatch(target.api_key_env)
            named = f"variable {target.api_key_env}" if plain else "variable that it names"
            faults.add(where, f"the environment {named} is not set: set it, or remove this key")
            return None
        return _judged(where, os.fsencode(text), faults)
    if target.api_key_file:
        where = (*path, "api_key_file")
        if faults.at(where):
            return None
        try:
            with open(target.api_key_file, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(MAX_BYTES + 1).strip()
        except OSError as exc:
            faults.add(where, f"cannot read {target.api_key_file}: {exc.strerror}")
            return None
        if stat.S_ISREG(mode) and mode & 0o077:
            faults.warn(where, f"others may read it: chmod 600 {target.api_key_file}")
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
