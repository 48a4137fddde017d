"""Does a value fit a JSON Schema? The part of draft 2020-12 that tool definitions and
structured output use; keywords beyond it are not judged.

Judged: type, enum, const, properties, required, additionalProperties, items, prefixItems,
minItems, maxItems, minLength, maxLength, minimum, maximum, exclusive bounds, anyOf, oneOf,
allOf, not, and `$ref` into `$defs` or `definitions` of the same document.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

DEPTH = 64
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "dict": (dict,), "array": (list,), "tuple": (list,), "string": (str,),
    "boolean": (bool,), "null": (type(None),), "number": (int, float), "float": (int, float),
    "integer": (int,),
}  # fmt: skip
BOUNDS: dict[str, Callable[[float, float], bool]] = {
    "minimum": operator.lt,
    "maximum": operator.gt,
    "exclusiveMinimum": operator.le,
    "exclusiveMaximum": operator.ge,
}


def faults(
    value: Any, schema: Any, *, strict: bool = False, root: Any = None, path: str = "$",
    depth: int = 0,
) -> list[str]:  # fmt: skip
    """What is wrong, as `path: words`; empty if it fits. `strict`: a member that an object
    with `properties` does not name is wrong unless `additionalProperties` allows it."""
    root = schema if root is None else root
    if schema is False:
        return [f"{path}: nothing is allowed here"]
    if not isinstance(schema, dict) or depth > DEPTH:
        return []
    if "$ref" in schema:
        return faults(value, _resolve(schema["$ref"], root), strict=strict, root=root, path=path,
                      depth=depth + 1)  # fmt: skip
    found = _plain(value, schema, path)
    if found:
        return found
    down = {"strict": strict, "root": root, "depth": depth + 1}
    if isinstance(value, dict):
        found += _object(value, schema, path, down)
    elif isinstance(value, list):
        found += _array(value, schema, path, down)
    for part in schema.get("allOf", ()):
        found += faults(value, part, path=path, **down)
    for word, most in (("anyOf", None), ("oneOf", 1)):
        if schema.get(word):
            good = sum(not faults(value, part, path=path, **down) for part in schema[word])
            if not good or good > (most or good):
                found.append(f"{path}: fits {good} of {word}")
    if "not" in schema and not faults(value, schema["not"], path=path, **down):
        found.append(f"{path}: is what it must not be")
    return found


def _resolve(ref: Any, root: Any) -> Any:
    if not isinstance(ref, str) or not ref.startswith("#"):
        return True
    at = root
    for step in ref[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(at, dict) or name not in at:
            return True
        at = at[name]
    return at


def _is(value: Any, name: Any) -> bool:
    kinds = TYPES.get(name) if isinstance(name, str) else None
    if kinds is None:
        return True
    if isinstance(value, bool):
        return bool in kinds
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, kinds)


def _plain(value: Any, schema: dict[str, Any], path: str) -> list[str]:
    wanted = schema.get("type")
    names = wanted if isinstance(wanted, list) else [wanted]
    if wanted is not None and not any(_is(value, name) for name in names):
        return [f"{path}: is no {' or '.join(map(str, names))}"]
    if "const" in schema and value != schema["const"]:
        return [f"{path}: is not the constant"]
    if isinstance(schema.get("enum"), list) and value not in schema["enum"]:
        return [f"{path}: is none of the listed values"]
    out = []
    if isinstance(value, int | float) and not isinstance(value, bool):
        for word, wrong in BOUNDS.items():
            bound = schema.get(word)
            if isinstance(bound, bool) or not isinstance(bound, int | float):
                continue
            if wrong(value, bound):
                out.append(f"{path}: is beyond {word} {bound}")
    if isinstance(value, str | list):
        kind = "Length" if isinstance(value, str) else "Items"
        if len(value) < schema.get(f"min{kind}", 0):
            out.append(f"{path}: is too short")
        if len(value) > schema.get(f"max{kind}", len(value)):
            out.append(f"{path}: is too long")
    return out


def _object(
    value: dict[str, Any], schema: dict[str, Any], path: str, down: dict[str, Any]
) -> list[str]:
    known = schema.get("properties")
    known = known if isinstance(known, dict) else {}
    out = [f"{path}: lacks {name}" for name in schema.get("required", ()) if name not in value]
    other = schema.get("additionalProperties", not (down["strict"] and known))
    for name, part in value.items():
        if name in known:
            out += faults(part, known[name], path=f"{path}.{name}", **down)
        elif other is False:
            out.append(f"{path}: knows no {name}")
        elif isinstance(other, dict):
            out += faults(part, other, path=f"{path}.{name}", **down)
    return out


def _array(value: list[Any], schema: dict[str, Any], path: str, down: dict[str, Any]) -> list[str]:
    first = schema.get("prefixItems")
    first = first if isinstance(first, list) else []
    out = []
    for n, part in enumerate(value):
        rule = first[n] if n < len(first) else schema.get("items", True)
        out += faults(part, rule, path=f"{path}[{n}]", **down)
    return out
