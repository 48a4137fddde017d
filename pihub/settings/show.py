"""The effective configuration for people and for programs, secrets masked."""

from __future__ import annotations

import json
from typing import Any

from pihub.settings.decode import flatten
from pihub.settings.epoch import epoch
from pihub.settings.faults import Path, dotted
from pihub.settings.loaded import Loaded

MASK = "********"


def as_json(loaded: Loaded) -> dict[str, Any]:
    """{"source", "demo", "epoch", "warnings", "values": {key: {"value", "from"}}}"""
    values: dict[str, Any] = {}
    for path, value in flatten(loaded.settings).items():
        name = dotted(path)
        values[name] = {"value": value, "from": loaded.provenance.get(name, "default")}
        if _holds_secret(loaded, path, value):
            values[name]["secret"] = MASK
    return {
        "source": None if loaded.source is None else str(loaded.source),
        "demo": loaded.demo,
        "epoch": f"{epoch(loaded.settings):016x}",
        "warnings": list(loaded.warnings),
        "values": values,
    }


def as_toml(loaded: Loaded) -> str:
    """Valid TOML, each line with where its value came from as a comment."""
    lines: list[str] = []
    table: Path = ()
    leaves = flatten(loaded.settings)
    first: dict[Path, int] = {}
    for path in leaves:
        first.setdefault(path[:-1], len(first))
    # A table's own keys come before its sub-tables, as TOML wants it.
    for path in sorted(leaves, key=lambda path: first[path[:-1]]):
        value = leaves[path]
        if path[:-1] != table:
            table = path[:-1]
            lines += ["", f"[{dotted(table)}]"] if lines else [f"[{dotted(table)}]"]
        name = dotted(path)
        origin = loaded.provenance.get(name, "default")
        note = f"# {origin}"
        if _holds_secret(loaded, path, value):
            note += f"; the key is set: {MASK}"
        if value is None:
            lines.append(f"# {path[-1]} has no value    {note}")
        else:
            lines.append(f"{f'{dotted(path[-1:])} = {_toml(value)}':<44} {note}")
    return "\n".join(lines) + "\n"


def _holds_secret(loaded: Loaded, path: Path, value: Any) -> bool:
    """Whether this leaf names a key that was found."""
    return (
        path[0] in ("upstreams", "apis")
        and path[-1] in ("api_key_env", "api_key_file")
        and bool(value)
        and path[1] in loaded.secrets
    )


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, float) and value == int(value):
        return f"{value:.1f}"
    return json.dumps(value, ensure_ascii=False)
