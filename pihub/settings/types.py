"""What the schema says of a key's type: words for people, conversion of texts."""

from __future__ import annotations

import json
import typing
from typing import Any

import msgspec
from msgspec import inspect

from pihub.settings.section import Section


class WrongType(ValueError):
    """The value does not have the key's type."""


def struct_fields(cls: type[Section]) -> dict[str, msgspec.structs.FieldInfo]:
    """The section's keys in the schema's order."""
    return {field.name: field for field in msgspec.structs.fields(cls)}


def section_of(kind: Any) -> type[Section] | None:
    """The section's class if the key is a table of its own."""
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def named_sections_of(kind: Any) -> type[Section] | None:
    """The class behind `[upstreams.NAME]`: a table of named tables."""
    if typing.get_origin(kind) is dict:
        return section_of(typing.get_args(kind)[1])
    return None


def describe(kind: Any) -> str:
    """`a number from 0 to 5`, `"auto" or a whole number above 0`, ..."""
    return _words(inspect.type_info(kind))


def _words(info: inspect.Type) -> str:
    match info:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType() | inspect.FloatType():
            noun = "a whole number" if isinstance(info, inspect.IntType) else "a number"
            low = f" above {_num(info.gt)}" if info.gt is not None else ""
            if info.ge is not None:
                low = f" of at least {_num(info.ge)}"
            high = ""
            if info.le is not None:
                high = f" and at most {_num(info.le)}" if low else f" of at most {_num(info.le)}"
            return noun + low + high
        case inspect.StrType():
            return "a string"
        case inspect.NoneType():
            return "nothing"
        case inspect.LiteralType():
            return " or ".join(json.dumps(value) for value in sorted(info.values, key=str))
        case inspect.ListType():
            return "a list of strings" + (
                f" (at least {info.min_length})" if info.min_length else ""
            )
        case inspect.UnionType():
            parts = [part for part in info.types if not isinstance(part, inspect.NoneType)]
            parts.sort(key=lambda part: not isinstance(part, inspect.LiteralType))
            return " or ".join(_words(part) for part in parts)
    return "another value"


def _num(value: float) -> str:
    return f"{value:g}"


def choices(kind: Any) -> list[str]:
    """The strings that a key may be, if they are counted."""
    info = inspect.type_info(kind)
    parts = info.types if isinstance(info, inspect.UnionType) else (info,)
    return [
        str(value)
        for part in parts
        if isinstance(part, inspect.LiteralType)
        for value in part.values
    ]


def convert(value: Any, kind: Any) -> Any:
    """A TOML value as the key's type; raises WrongType."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as exc:
        raise WrongType from exc


def convert_text(text: str, kind: Any) -> Any:
    """An environment variable's text as the key's type; raises WrongType.

    Lists are separated by commas, or JSON. An empty text unsets an optional key.
    """
    if typing.get_origin(kind) is typing.Annotated:
        bare = typing.get_args(kind)[0]
    else:
        bare = kind
    if typing.get_origin(bare) is list:
        return convert(_items(text), kind)
    if not text and _takes(kind, inspect.NoneType):
        return None
    if _takes(kind, inspect.BoolType):
        known = {"true": True, "1": True, "yes": True, "on": True}
        known |= {"false": False, "0": False, "no": False, "off": False}
        if text.strip().lower() not in known:
            raise WrongType
        return known[text.strip().lower()]
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as exc:
        raise WrongType from exc


def _items(text: str) -> list[str]:
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            raise WrongType from None
        if not isinstance(found, list):
            raise WrongType
        return found
    return [item.strip() for item in text.split(",") if item.strip()]


def _takes(kind: Any, wanted: type[inspect.Type]) -> bool:
    info = inspect.type_info(kind)
    parts = info.types if isinstance(info, inspect.UnionType) else (info,)
    return any(isinstance(part, wanted) for part in parts)
