"""Settings: every key with its meaning, the file itself, earlier versions, write-only secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pihub.dashboard import words
from pihub.dashboard.parts import (
    Action,
    Cell,
    Chips,
    Editor,
    Field,
    Form,
    Line,
    Part,
    Screen,
    Setting,
    Table,
    Text,
)
from pihub.dashboard.sources import Sources
from pihub.ops.configuring import ConfigDesk, FieldView
from pihub.settings.faults import dotted
from pihub.settings.meanings import NAME
from pihub.settings.meanings import Field as Known

HOME = "/dashboard/settings"
NAMED = {"upstreams": "upstream", "models": "model", "apis": "API"}
"""Sections of chosen names that the page can add to."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    desk: ConfigDesk = sources.services.config
    views = desk.field_views()
    sections = list(dict.fromkeys(one.section for one in views))
    part = asked.get("part") or sections[0]
    chips = [(name, f"{HOME}?part={name}", part == name) for name in sections]
    special = (("text", "The file"), ("versions", "Versions"), ("secrets", "Secrets"))
    chips += [(label, f"{HOME}?part={name}", part == name) for name, label in special]
    parts: list[Part] = [Chips("Sections", tuple(chips))]
    if part == "text":
        parts.append(_editor(desk))
    elif part == "versions":
        parts += _versions(desk, asked.get("number", ""))
    elif part == "secrets":
        parts += _secrets(sources, desk)
    else:
        parts += _section(desk, views, part)
    return Screen("Settings", tuple(parts), notes=tuple(_notes(desk)))


def _notes(desk: ConfigDesk) -> Iterable[str]:
    made = "" if desk.path.exists() else " It does not exist yet: the first change makes it."
    yield f"The file {desk.path} is the truth.{made}"
    if desk.advice():
        yield desk.advice()
    if desk.pending():
        yield (
            "The file is not what is in force: a reload is under way, or it was refused and the "
            "hub's log says why."
        )
    yield from desk.loaded.warnings


def _section(desk: ConfigDesk, views: list[FieldView], part: str) -> list[Part]:
    open_, source = desk.writable(), desk.loaded.source
    rows = [_setting(one, open_, source) for one in views if one.section == part]
    head, _, name = part.partition(".")
    if not rows and head in NAMED and _NAME.fullmatch(name):
        rows = [_new(one, name) for one in desk.known() if one.path[:2] == (head, NAME)
                and len(one.path) == 3]  # fmt: skip
        return [Form(f"A new {NAMED[head]}: {name}", tuple(rows), "Required keys first.",
                     locked=not open_)]
    parts: list[Part] = [
        Form(f"[{part}]", tuple(rows), "An empty field takes the key out of the file, so that "
             "its default holds.", locked=not open_)
    ]  # fmt: skip
    parts += [
        Text(f"Another {what}", f"Give it a name: {HOME}?part={group}.NAME opens an empty form.")
        for group, what in NAMED.items()
        if group == head
    ]
    return parts


def _setting(one: FieldView, writable: bool, path: Path | None) -> Setting:
    field = one.field
    locked = ""
    if one.origin.startswith("env "):
        locked = f"set by the environment variable {one.origin[4:]}: change it there"
    elif not writable:
        locked = "the hub may not write its file"
    return Setting(
        key=one.key,
        kind=_kind(field),
        value=_shown(one.value),
        choices=field.choices if _kind(field) == "select" else (),
        meaning=field.meaning,
        default=_default(field),
        origin=one.origin.replace(f"{path}:", "the file, line "),
        locked=locked,
    )


def _new(field: Known, name: str) -> Setting:
    path = tuple(name if part == NAME else part for part in field.path)
    return Setting(
        key=dotted(path),
        kind=_kind(field),
        value="",
        choices=field.choices if _kind(field) == "select" else (),
        meaning=field.meaning,
        default=_default(field),
        origin="not set",
        required=field.required,
    )


def _kind(field: Known) -> str:
    words_ = field.kind
    if words_ == "true or false":
        return "bool"
    if field.choices and "number" not in words_:
        return "select"
    if "list" in words_:
        return "list"
    if field.choices:
        return "either"
    if "number" in words_:
        return "number"
    return "text"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _default(field: Known) -> str:
    if field.required:
        return "none: it must be given"
    return _shown(field.default) or "empty"


def _editor(desk: ConfigDesk) -> Editor:
    return Editor(
        "The file",
        desk.text(),
        "Keys of upstreams never stand here: see Secrets. Nothing is written before you have "
        "seen the difference.",
        locked=not desk.writable(),
    )


def _versions(desk: ConfigDesk, number: str) -> list[Part]:
    lines = tuple(
        Line(
            (
                Cell(f"Version {one.number}", one.note,
                     href=f"{HOME}?part=versions&number={one.number}"),
                Cell(words.ago(one.at)),
                Cell(one.by or words.NONE),
                Cell(words.size(one.bytes)),
            ),
            (
                Action(
                    "Go back to it", "POST", f"/config/versions/{one.number}/restore",
                    sure=f"Apply version {one.number} again? The hub reloads.",
                    permission="config:write", reloads=True,
                ),
            ),
        )
        for one in desk.versions()
    )  # fmt: skip
    parts: list[Part] = [
        Table(
            "Versions",
            ("Version", "When", "By", "#Size"),
            lines,
            "No version yet: the first change on this page keeps the file as it was found.",
            note="The newest 30 are kept beside the database.",
        )
    ]
    if number in {str(one.number) for one in desk.versions()}:
        text = desk.version(int(number))
        diff = desk.diff(text) or "It is the same as the file."
        parts.append(Text(f"From the file to version {number}", diff, pre=True))
    return parts


def _secrets(sources: Sources, desk: ConfigDesk) -> list[Part]:
    settings = sources.loaded.settings
    targets = [("upstreams", name, one) for name, one in settings.upstreams.items()]
    targets += [("apis", name, one) for name, one in settings.apis.items()]  # type: ignore[misc]
    lines = []
    for section, name, one in targets:
        has = name in sources.loaded.secrets
        where = one.api_key_file or (one.api_key_env and f"environment {one.api_key_env}") or ""
        form = Action(
            "New key", "PUT", f"/config/secrets/{name}",
            (Field("secret", "The new key", "password", required=True),),
            (("use_for", f"{section}.{name}"),), permission="config:write",
            sure=f"Keep this key for {name}, and reload?", reloads=True,
        )  # fmt: skip
        lines.append(
            Line(
                (
                    Cell(name, section),
                    Cell("is set" if has else "none", tone="well" if has else "idle"),
                    Cell(where or words.NONE),
                ),
                (form,),
            )
        )
    return [
        Table(
            "Keys of upstreams and APIs",
            ("For", "Key", "Where it is"),
            tuple(lines),
            "There is no upstream and no API yet.",
            note=f"A key is kept in a file of its own in {desk.folder / 'secrets'} (mode 0600), "
            "never in the TOML, and never shown again.",
        )
    ]
