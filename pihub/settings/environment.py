"""Overrides from the environment: PIHUB_SECTION__KEY, typed as the schema says.

`PIHUB_SERVER__LISTEN=0.0.0.0:8080` is `listen` in `[server]`;
`PIHUB_UPSTREAMS__CLAUDE__TIMERS__TOTAL=30` is `total` in `[upstreams.claude.timers]`.
Names given by the owner (claude) match without regard to case, `-` written as `_`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pihub.settings.faults import Fault, Faults, Path, did_you_mean
from pihub.settings.schema import Settings
from pihub.settings.section import Section
from pihub.settings.types import (
    WrongType,
    convert_text,
    describe,
    named_sections_of,
    section_of,
    struct_fields,
)

PREFIX = "PIHUB_"
SEPARATOR = "__"


def apply(
    raw: dict[str, Any], environ: Mapping[str, str], origins: dict[Path, str], faults: Faults
) -> None:
    """Write the overrides into the raw tables and note where they came from."""
    for variable in sorted(environ):
        if not variable.startswith(PREFIX):
            continue
        words = [word.lower() for word in variable.removeprefix(PREFIX).split(SEPARATOR)]
        if len(words) == 1:
            _suspect(variable, environ, faults)
            continue
        try:
            path, kind = _resolve(words, raw)
        except LookupError as exc:
            faults.found.append(Fault(f"env {variable}", (), exc.args[0]))
            continue
        origins[path] = f"env {variable}"
        try:
            value = convert_text(environ[variable], kind)
        except WrongType:
            faults.add(path, f"must be {describe(kind)}")
            continue
        table = raw
        for part in path[:-1]:
            inner = table.setdefault(part, {})
            if not isinstance(inner, dict):
                break
            table = inner
        else:
            table[path[-1]] = value


def _suspect(variable: str, environ: Mapping[str, str], faults: Faults) -> None:
    """A single underscore after a section's name is most likely a slip."""
    word = variable.removeprefix(PREFIX).lower()
    for name, field in struct_fields(Settings).items():
        key = word.removeprefix(name + "_")
        section = section_of(field.type)
        if key != word and section and key in struct_fields(section):
            meant = f"{PREFIX}{name.upper()}{SEPARATOR}{key.upper()}"
            faults.warnings.append(f"env {variable} has no effect; did you mean {meant}?")


def _resolve(words: list[str], raw: Mapping[str, Any]) -> tuple[Path, Any]:
    """The path that the words name, and its type; raises LookupError with the reason."""
    cls: type[Section] = Settings
    table: Any = raw
    path: Path = ()
    while True:
        fields = struct_fields(cls)
        word = words[len(path)]
        if word not in fields:
            raise LookupError(f"unknown key {word!r}{did_you_mean(word, fields)}")
        path = (*path, word)
        table = table.get(word, {}) if isinstance(table, dict) else {}
        kind = fields[word].type
        inner = section_of(kind)
        named = named_sections_of(kind)
        if named:
            if len(words) == len(path):
                raise LookupError("the name and the key are missing")
            name = _existing(words[len(path)], table)
            path = (*path, name)
            table = table.get(name, {}) if isinstance(table, dict) else {}
            inner = named
        if inner is None:
            if len(words) > len(path):
                raise LookupError(f"{word!r} is a value, not a section")
            return path, kind
        if len(words) == len(path):
            raise LookupError("the key is missing after the section")
        cls = inner


def _existing(word: str, table: Any) -> str:
    """The owner's name as the file spells it."""
    if isinstance(table, dict):
        for name in table:
            if name.lower().replace("-", "_").replace(".", "_") == word:
                return str(name)
    return word
