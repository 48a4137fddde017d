"""Audit: who changed what, from where; a chain of hashes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pihub.dashboard import words
from pihub.dashboard.parts import Cell, Line, Screen, Table
from pihub.dashboard.sources import Sources

LATEST = 100
LONGEST = 200
"""Characters of what is told of a change."""
FIELDS = ("number", "name", "id", "rid")
"""Of paths, in the names of operations."""
NUMBERS = ("id", "tenant_id")
MASK = "…"
"""What the log keeps of a secret."""
VERBS = {"post": "make", "put": "set", "patch": "change", "delete": "remove"}


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    control = sources.services.control
    rows = [] if control is None else control.audit.page(sources.tenant, None, False, LATEST)
    return Screen(
        "Audit log",
        (
            Table(
                "Latest changes",
                ("When", "Who", "What", "Result", "Change"),
                tuple(
                    Line(
                        (
                            Cell(words.moment(one.at / 1e9)),
                            _who(one.actor, one.source),
                            Cell(_what(one.action), one.object),
                            _outcome(one.result),
                            Cell(_change(one.before, one.after)),
                        )
                    )
                    for one in rows
                ),
                "Nobody has changed anything yet.",
                note="Rows are never changed; the command pihub audit verify proves it.",
                links=(("All fields, as the API gives them", "/admin/api/v1/audit"),),
            ),
        ),
        refresh=10,
    )


def _who(actor: str, source: str) -> Cell:
    """`session:olga` is olga, by a session; `local:local` whoever sits at the machine."""
    kind, _, name = actor.partition(":")
    if kind == "local":
        return Cell("this machine", "by its socket")
    return Cell(name or kind, " from ".join(one for one in (kind if name else "", source) if one))


def _what(action: str) -> str:
    """`post_keys` in words; what is no operation of the API has its words already."""
    method, *rest = action.split("_")
    what = [word for word in rest if word not in FIELDS]
    verb = VERBS.get(method)
    if not (verb and what):
        return action.replace("_", " ")
    if len(what) > 1:  # /keys/{number}/rotate
        verb = what.pop()
    return f"{verb} {' '.join(what).removesuffix('s')}"


def _outcome(result: str) -> Cell:
    """`ok`, a status, or the code of a refusal."""
    if result == "ok" or result[:1] in ("2", "3"):
        return Cell("done")
    return Cell("refused", result.replace("_", " "), tone="look")


def _change(before: str, after: str) -> str:
    """What differs, or what the new or the old thing was, by its telling fields."""
    old, new = _fields(before), _fields(after)
    if old and new:
        told = [
            f"{name}: {_said(old.get(name))} → {_said(new.get(name))}"
            for name in {**old, **new}
            if old.get(name) != new.get(name)
        ]
    else:
        told = [
            f"{name}: {_said(value)}"
            for name, value in (old or new).items()
            if _tells(value) and name not in NUMBERS
        ]
    text = ", ".join(told) or (before or after if not (old or new) else "")
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _fields(text: str) -> dict[str, Any]:
    """Empty for what is no JSON object."""
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _tells(value: object) -> bool:
    """Empty and nested values say nothing in a line, nor do moments in seconds."""
    moment = isinstance(value, int | float) and value > 1e9
    nested = isinstance(value, dict | list)
    return not moment and not nested and value not in (None, "", 0, False, MASK)


def _said(value: object) -> str:
    if isinstance(value, str):
        return value or "none"
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
