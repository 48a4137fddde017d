"""JSON text: strict decoding, raw fragments, and edits that leave all other bytes alone.

Decoding is RFC 8259 by msgspec: no NaN, no trailing bytes, no invalid UTF-8, bounded
nesting. Of a key that stands twice the last one counts, except in `edit`, which refuses
it: a body whose bytes are forwarded must not mean one thing here and another there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from pihub.errors import BadRequest
from pihub.shared.jsonscan import members as scan

T = TypeVar("T")

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""JSON has integers of any length; what the hub stores and sends on has 64 bits."""
Scalar = str | bool | Int64 | float | None

_RAW_OBJECT: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(
    dict[str, msgspec.Raw]
)
_RAW_LIST: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_STRING: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
_FIELD = re.compile(r"(?:required|unknown) field `([^`]*)`")

encode = msgspec.json.Encoder().encode
"""Any JSON-able value, struct or msgspec.Raw to compact UTF-8 JSON."""


def bad_json(error: Exception) -> BadRequest:
    """The BadRequest for what msgspec raised; `param` is the path of the field."""
    if isinstance(error, msgspec.ValidationError):
        text = str(error)
        param = ""
        if (at := _PATH.search(text)) is not None:
            param = at.group(1)
            text = text[: at.start()]
        if (field := _FIELD.search(text)) is not None:
            param = f"{param}.{field.group(1)}" if param else field.group(1)
        where = f"{param}: " if param and param not in text else ""
        return BadRequest(f"{where}{text[:1].lower()}{text[1:]}", param=param or None)
    if isinstance(error, RecursionError):
        return BadRequest("the body is nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return BadRequest("the body is not valid UTF-8")
    return BadRequest("the body is not valid JSON")


class BodyDecoder(Generic[T]):
    """A request body to a struct, and the top-level fields that the struct lacks.

    `exact` is the struct with `forbid_unknown_fields`, `loose` the same without: the
    usual request pays for one decoding only.
    """

    __slots__ = ("_exact", "_known", "_loose")

    def __init__(self, exact: type[T], loose: type[T]) -> None:
        self._exact = msgspec.json.Decoder(exact)
        self._loose = msgspec.json.Decoder(loose)
        self._known = frozenset(f.encode_name for f in msgspec.structs.fields(exact))  # type: ignore[arg-type]

    def decode(self, body: bytes) -> tuple[T, dict[str, str]]:
        """(struct, unknown fields as raw JSON text). Raises BadRequest."""
        try:
            return self._exact.decode(body), {}
        except msgspec.ValidationError:
            pass
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise bad_json(error) from None
        try:
            value = self._loose.decode(body)
            fields = _RAW_OBJECT.decode(body)
            # The skipped values are decoded too: what is forwarded must be sound.
            extra = {
                name: text
                for name, raw in fields.items()
                if name not in self._known and (text := sound(raw)) != "null"
            }
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise bad_json(error) from None
        return value, extra


def sound(raw: msgspec.Raw) -> str:
    """The text of a raw value, fully checked. Raises msgspec's and Unicode errors."""
    data = bytes(raw)
    _ANY.decode(data)
    return data.decode()


def json_object(text: str, param: str) -> str:
    """`text` if it is a JSON object, `{}` if it is empty. Raises BadRequest."""
    if not text.strip():
        return "{}"
    try:
        _OBJECT.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest(f"{param}: not the JSON text of an object", param=param) from None
    return text


_OBJECT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])


def is_object(text: str) -> bool:
    """Whether `text` is complete JSON and an object."""
    try:
        _OBJECT.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def is_json(data: bytes) -> bool:
    """Whether `data` is sound JSON of any shape."""
    try:
        _ANY.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def raw(text: str) -> msgspec.Raw:
    """JSON text to embed as it is in what `encode` makes."""
    return msgspec.Raw(text.encode())


def compact(text: str) -> bytes:
    """JSON text without whitespace between tokens; numbers and key order unchanged."""
    return msgspec.json.format(text, indent=-1).encode()


def at(body: bytes, *path: str | int) -> str:
    """The raw text of the value at `path`, empty if there is none. For rare fields."""
    current = msgspec.Raw(body)
    for step in path:
        try:
            if isinstance(step, int):
                current = _RAW_LIST.decode(current)[step]
            else:
                current = _RAW_OBJECT.decode(current)[step]
        except (msgspec.DecodeError, LookupError):
            return ""
    return bytes(current).decode()


def members(body: bytes) -> list[tuple[str, int, int]]:
    """(key, start, end) of each value of the object `body`, in order.

    Raises BadRequest if it is not an object or a key stands twice.
    """
    found = scan(body)
    if found is None:
        try:
            _RAW_OBJECT.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise bad_json(error) from None
        raise BadRequest("the body is not a JSON object")
    if any(chr(92) in key for key, _, _ in found):
        found = [
            (_STRING.decode('"' + key + '"') if chr(92) in key else key, start, end)
            for key, start, end in found
        ]
    if len({key for key, _, _ in found}) < len(found):
        raise BadRequest("a key stands twice in the body")
    return found


def edit(
    body: bytes, values: Mapping[str, bytes], spans: Sequence[tuple[str, int, int]] | None = None
) -> bytes:
    """`body` with the top-level `values` set; every other byte stays as it is.

    A missing key is put first. `spans` is `members(body)` if it is known. Raises
    BadRequest if `body` is not an object, a key stands twice, or a key differs from an
    edited one only by case (Go's decoder, and so Ollama, would take it for the same).
    """
    if spans is None:
        spans = members(body)
    missing = dict(values)
    parts: list[bytes] = []
    last = 0
    for key, start, end in spans:
        value = missing.pop(key, None)
        if value is None:
            if key not in values and key.casefold() in values:
                raise BadRequest(f"{key}: not a known field", param=key)
            continue
        if body[start:end] == value:
            continue
        parts += (body[last:start], value)
        last = end
    if not parts and not missing:
        return body
    parts.append(body[last:])
    text = b"".join(parts)
    if missing:
        opening = text.index(b"{") + 1
        added = b",".join(encode(key) + b":" + value for key, value in missing.items())
        text = text[:opening] + added + (b"," if spans else b"") + text[opening:]
    return text
