"""What each key means, read from docs/settings.md, which comes with the package.

One text for people with the file open and for people on the dashboard; a test compares it
with the schema.
"""

from __future__ import annotations

import re
from pathlib import Path as File
from typing import NamedTuple

import msgspec

from pihub.settings.schema import Settings
from pihub.settings.section import Section
from pihub.settings.types import choices, describe, named_sections_of, section_of, struct_fields

NAME = "NAME"
"""Stands in a path for a name that the owner chose."""
Texts = dict[str, dict[str, str]]
_ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)
_MARK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


class Field(NamedTuple):
    """A key of the configuration."""

    path: tuple[str, ...]
    """With NAME for chosen names: ("upstreams", "NAME", "timers", "connect")."""
    kind: str
    """In words, as faults say it."""
    choices: tuple[str, ...]
    default: object
    """None also where there is none."""
    required: bool
    meaning: str


def fields() -> list[Field]:
    """Every key, in the schema's order; about 20 ms, so read once and kept."""
    return list(_walk(Settings, (), _texts()))


def _walk(cls: type[Section], path: tuple[str, ...], texts: Texts) -> list[Field]:
    found: list[Field] = []
    inner: list[Field] = []
    for name, field in struct_fields(cls).items():
        here = (*path, name)
        below, named = section_of(field.type), named_sections_of(field.type)
        if below is not None:
            inner += _walk(below, here, texts)
        elif named is not None:
            inner += _walk(named, (*here, NAME), texts)
        else:
            found.append(
                Field(
                    here,
                    describe(field.type),
                    tuple(choices(field.type)),
                    None if field.required else _default(field),
                    field.required,
                    _meaning(texts, here),
                )
            )
    return found + inner


def _default(field: msgspec.structs.FieldInfo) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return None if field.default is msgspec.NODEFAULT else field.default


def _meaning(texts: Texts, path: tuple[str, ...]) -> str:
    heading, name = ".".join(path[:-1]), path[-1]
    for one in (heading, f"*.{path[-2]}" if len(path) > 1 else ""):
        if name in texts.get(one, {}):
            return texts[one][name]
    return ""


def _texts() -> Texts:
    """Heading -> key -> meaning, plain words without Markdown's marks."""
    text = File(__file__).with_name("settings.md").read_text(encoding="utf-8")
    parts = re.split(r"^## \[(.+)\]$", text, flags=re.MULTILINE)
    return {
        name: {
            key: _MARK.sub(r"\1", meaning).replace("`", "")
            for key, _, _, meaning in _ROW.findall(body.split("\n## ")[0])
        }
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }
