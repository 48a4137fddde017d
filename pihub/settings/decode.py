"""Raw tables to the typed settings, collecting every fault instead of the first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from pihub.settings.faults import Faults, Path, did_you_mean
from pihub.settings.schema import Settings
from pihub.settings.section import Section
from pihub.settings.types import (
    WrongType,
    choices,
    convert,
    describe,
    named_sections_of,
    section_of,
    struct_fields,
)

_SECRETS = ("api_key", "apikey", "key", "token", "password", "secret", "authorization")


def decode(raw: Mapping[str, Any], faults: Faults) -> Settings:
    """What could be understood; the rest stands in `faults`, with defaults in place."""
    made = _section(Settings, raw, (), faults)
    assert isinstance(made, Settings)
    return made


def _section(cls: type[Section], raw: Mapping[str, Any], path: Path, faults: Faults) -> Section:
    """Keys without a default that are missing or wrong get a placeholder, so that the
    rest of the table is judged too; the fault says not to use what comes out."""
    fields = struct_fields(cls)
    for key in raw:
        if key not in fields:
            faults.add((*path, key), _unknown(cls, key, path, raw[key]))
    values: dict[str, Any] = {}
    for name, field in fields.items():
        here = (*path, name)
        if name not in raw:
            if field.required:
                faults.add(here, f"is missing: it must be {describe(field.type)}")
                values[name] = ""
            continue
        try:
            values[name] = _value(field.type, raw[name], here, faults)
        except WrongType:
            if field.required:
                values[name] = ""
    return cls(**values)


def _value(kind: Any, value: Any, path: Path, faults: Faults) -> Any:
    """Raises WrongType after the fault was noted."""
    section = section_of(kind)
    named = named_sections_of(kind)
    if section or named:
        if not isinstance(value, dict):
            form = f"[{'.'.join(path)}]" if section else f"[{'.'.join(path)}.NAME]"
            faults.add(path, f"must be a table: {form}")
            raise WrongType
        if section:
            return _section(section, value, path, faults)
        assert named is not None
        return _named(named, value, path, faults)
    try:
        return convert(value, kind)
    except WrongType:
        if faults.at(path):  # its environment variable has been blamed already
            raise
        text = f"must be {describe(kind)}, not {_show(value)}"
        if isinstance(value, str):
            text += did_you_mean(value, choices(kind))
        faults.add(path, text)
        raise


def _named(
    cls: type[Section], raw: Mapping[str, Any], path: Path, faults: Faults
) -> dict[str, Section]:
    made: dict[str, Section] = {}
    for name, value in raw.items():
        here = (*path, name)
        if not isinstance(value, dict):
            faults.add(here, f"must be a table: [{'.'.join(path)}.NAME] with its keys below")
            continue
        made[name] = _section(cls, value, here, faults)
    return made


def _unknown(cls: type[Section], key: str, path: Path, value: Any) -> str:
    fields = struct_fields(cls)
    kind = next((k for k in ("api_key", "secret", "key") if f"{k}_env" in fields), "")
    if key.lower() in _SECRETS and kind:
        return (
            "secrets do not belong into this file: put the key into an environment "
            f'variable and name it with {kind}_env = "NAME", or into a file named by '
            f'{kind}_file = "/path"'
        )
    if isinstance(value, dict):
        return "unknown section" + did_you_mean(key, fields)
    near = did_you_mean(key, fields)
    if not near:
        homes = [
            f"[{name}]"
            for name, field in struct_fields(Settings).items()
            if (section := section_of(field.type)) and key in struct_fields(section)
        ]
        if homes:
            near = f" (it belongs into {' or '.join(homes)})"
    return "unknown key" + near


def _show(value: Any) -> str:
    """A wrong value, short enough for a line."""
    if isinstance(value, (dict, list)):
        return "a table" if isinstance(value, dict) else f"a list of {len(value)}"
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"


def flatten(section: Section, path: Path = ()) -> dict[Path, Any]:
    """Every leaf of the settings with its path, in the schema's order."""
    leaves: dict[Path, Any] = {}
    for field in msgspec.structs.fields(section):
        value = getattr(section, field.name)
        here = (*path, field.name)
        if isinstance(value, Section):
            leaves.update(flatten(value, here))
        elif isinstance(value, dict):
            for name, inner in value.items():
                leaves.update(flatten(inner, (*here, name)))
        else:
            leaves[here] = value
    return leaves
