"""`{field}` in paths, prompts and JSON texts. Nothing is evaluated: names are looked up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)\}")
LONGEST = 8000
"""Characters of one value in a prompt."""


class Missing(ValueError):
    """The event has no such field."""


def path(template: str, values: Mapping[str, Any]) -> str:
    """Values percent-encoded, slashes too. Raises Missing, also for an empty value."""

    def shown(value: Any) -> str:
        text = _text(value)
        if not text or text in (".", ".."):
            raise Missing("a field of the path is empty")
        return quote(text, safe="")

    return _fill(template, values, shown)


def prompt(template: str, values: Mapping[str, Any]) -> str:
    """Values as text. Raises Missing."""
    return _fill(template, values, lambda value: _text(value)[:LONGEST])


def body(template: str, values: Mapping[str, Any]) -> bytes:
    """Values as JSON. Raises Missing, or ValueError if it is no JSON in the end."""
    text = _fill(template, values, json.dumps)
    json.loads(text)
    return text.encode()


def _fill(template: str, values: Mapping[str, Any], show: Callable[[Any], str]) -> str:
    return _FIELD.sub(lambda found: show(_look_up(values, found[1])), template)


def _look_up(values: Mapping[str, Any], name: str) -> Any:
    value: Any = values
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise Missing(f"the event has no field {name}")
        value = value[part]
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
