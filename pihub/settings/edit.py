"""Single values of a TOML text, changed in place: comments, order and layout stay.

The result is read again and must differ from the text before in the wanted value alone;
where this simple hand cannot do that (a key to add to or take out of an inline table, a table
that dotted keys made, arrays of tables), it says so and changes nothing. Comments inside a
value that is replaced, and behind one that is taken out, go with it.
"""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Mapping
from typing import Any

from pihub.errors import ConfigError
from pihub.settings.faults import Path, dotted
from pihub.settings.positions import spans


def changed(text: str, changes: Mapping[Path, Any]) -> str:
    """The text with these values; None takes a key out, so that its default holds.

    Raises ConfigError, also if the text is no TOML.
    """
    for path, value in changes.items():
        text = _one(text, path, value)
    return text


def _one(text: str, path: Path, value: Any) -> str:
    wanted = _wanted(text, path, value)
    if wanted is None:
        return text
    found = spans(text)
    here = found.values.get(path)
    if value is None:
        made = text if here is None else _without(text, *here)
    elif here is not None:
        made = text[: here[0]] + toml(value) + text[here[1] :]
    else:
        made = _inserted(text, path, value, found.tables)
    if _typed(_parsed(made)) != _typed(wanted):
        raise ConfigError(
            f"{dotted(path)} cannot be changed by itself where it stands: edit the text instead"
        )
    return made


def _wanted(text: str, path: Path, value: Any) -> dict[str, Any] | None:
    """The values after the change; None: it changes nothing."""
    before = _read(text)
    after = copy.deepcopy(before)
    table: Any = after
    for part in path[:-1]:
        if value is None and part not in table:
            return None
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{dotted(path)} stands below a value, not below a table")
    if value is None:
        table.pop(path[-1], None)
    else:
        table[path[-1]] = value
    return None if _typed(after) == _typed(before) else after


def _without(text: str, start: int, end: int) -> str:
    """Without the lines of one pair."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    return text[:first] + ("" if last < 0 else text[last + 1 :])


def _inserted(text: str, path: Path, value: Any, tables: Mapping[Path, int]) -> str:
    line = f"{dotted(path[-1:])} = {toml(value)}\n"
    table = path[:-1]
    if table not in tables:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}[{dotted(table)}]\n{line}"
    at = tables[table]
    gap = "" if at == 0 or text[at - 1] == "\n" else "\n"
    return text[:at] + gap + line + text[at:]


def _read(text: str) -> dict[str, Any]:
    found = _parsed(text)
    if found is None:
        raise ConfigError("the file is no valid TOML: edit the text instead")
    return found


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _typed(value: Any) -> Any:
    """To compare by: `1`, `1.0` and `true` are equal to Python and not to TOML; a NaN is itself."""
    if isinstance(value, dict):
        return {name: _typed(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_typed(one) for one in value]
    return type(value), repr(value)


def toml(value: Any) -> str:
    """A value as TOML writes it; JSON's strings are TOML's basic strings."""
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, dict):
        pairs = ", ".join(f"{dotted((str(k),))} = {toml(v)}" for k, v in value.items())
        return "{ " + pairs + " }" if pairs else "{}"
    if isinstance(value, float) and value == int(value):
        return f"{value:.1f}"
    return json.dumps(value, ensure_ascii=False)
