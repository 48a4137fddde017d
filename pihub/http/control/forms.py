"""What the admin API reads from queries and bodies, strictly."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import falcon

from pihub.errors import BadRequest, TooLarge

MAX_BODY = 16 * 1024


def integer(req: falcon.Request, name: str, default: int | None, low: int, high: int) -> int | None:
    """A query parameter within bounds. Raises BadRequest."""
    text = req.get_param(name)
    if text is None:
        return default
    try:
        value = int(text) if text.isascii() and len(text) <= 20 else None
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        raise BadRequest(f"{name} must be a whole number from {low} to {high}", param=name)
    return value


def choice(req: falcon.Request, name: str, default: str, allowed: tuple[str, ...]) -> str:
    """A query parameter out of a few words. Raises BadRequest."""
    text = req.get_param(name, default=default)
    if text not in allowed:
        raise BadRequest(f"{name} must be one of {', '.join(allowed)}", param=name)
    return str(text)


def only(req: falcon.Request, *names: str) -> None:
    """Refuse query parameters that mean nothing. Raises BadRequest."""
    for name in req.params:
        if name not in names:
            raise BadRequest(f"unknown parameter {name[:50]!r}", param=name[:50])


def body(req: falcon.Request, *names: str) -> dict[str, Any]:
    """A JSON object with no other fields than `names`. Raises BadRequest, TooLarge."""
    if (req.content_length or 0) > MAX_BODY:
        raise TooLarge(f"the body may have {MAX_BODY} bytes")
    data = req.bounded_stream.read(MAX_BODY + 1)
    if len(data) > MAX_BODY:
        raise TooLarge(f"the body may have {MAX_BODY} bytes")
    try:
        found = json.loads(data, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadRequest("the body must be a JSON object") from None
    if not isinstance(found, dict):
        raise BadRequest("the body must be a JSON object")
    for name in found:
        if name not in names:
            raise BadRequest(f"unknown field {name[:50]!r}", param=name[:50])
    return found


def text(fields: dict[str, Any], name: str, default: str | None = None) -> str:
    """A string field. Raises BadRequest."""
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a string", param=name)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field occurs twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
