"""What the admin API reads from queries and bodies, strictly."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, TypeVar

import falcon
import msgspec

from pihub.errors import BadRequest, TooLarge

MAX_BODY = 256 * 1024
"""An operation's own fields are bounded lower."""
T = TypeVar("T")
_AT = re.compile(r" - at `(\$[^`]*)`$")
_NAMED = re.compile(r"field `([^`]{1,50})`")


def raw(req: falcon.Request) -> bytes:
    """The body's bytes. Raises TooLarge."""
    if (req.content_length or 0) > MAX_BODY:
        raise TooLarge(f"the body may have {MAX_BODY} bytes")
    data = req.bounded_stream.read(MAX_BODY + 1)
    if len(data) > MAX_BODY:
        raise TooLarge(f"the body may have {MAX_BODY} bytes")
    return bytes(data)


def typed(data: bytes, form: type[T]) -> T:
    """A JSON object as its type. Raises BadRequest.

    Text is UTF-8 throughout (RFC 8259, 8.1): half of a surrogate pair, which an escape can
    bring, could be stored and then never be written out again.
    """
    try:
        found = json.loads(
            data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant
        )
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise BadRequest("the body must be a JSON object") from None
    if not isinstance(found, dict):
        raise BadRequest("the body must be a JSON object")
    return convert(found, form, strict=True)


def convert(value: Any, form: type[T], *, strict: bool) -> T:
    """Checked against its type; the error names the field. Raises BadRequest."""
    try:
        return msgspec.convert(value, form, strict=strict)
    except msgspec.ValidationError as error:
        text = str(error)
    at = _AT.search(text)
    words = _AT.sub("", text)
    words = words[:1].lower() + words[1:]
    if at is not None and at[1] != "$":
        name = at[1].removeprefix("$.")[:50]
        raise BadRequest(f"{name}: {words}", param=name)
    named = _NAMED.search(text)
    raise BadRequest(words[:200], param=named[1] if named else None)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field occurs twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
