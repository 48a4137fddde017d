"""Stand-ins for what is taken out of a prompt: `[EMAIL_1f3a9c07]`.

The same value has the same stand-in in every request of its tenant while the hub's shared
memory lives, so that a conversation reads alike from turn to turn and a vendor's prompt cache
keeps its prefix. It is a keyed hash (BLAKE2b) of tenant and value: nobody without the key can
try values against it, and two tenants' stand-ins have nothing in common.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from pihub.gateway.prompts.finder import Hit
from pihub.gateway.prompts.leaves import Leaf

FORM = re.compile(r"\[(?:SECRET|CARD|IBAN|EMAIL|PHONE|IP|ID)_[0-9a-f]{8,16}\]")
_WORDS = {"card": "CARD", "iban": "IBAN", "email": "EMAIL", "phone": "PHONE", "ip-address": "IP"}
_SHORT, _LONG = 8, 16
"""Hex digits; the long form where two values of a request share the short one."""


class Placeholders:
    """Those of one tenant's request. `values`: what each stands for."""

    def __init__(self, secret: bytes, tenant: int) -> None:
        self._key = hashlib.blake2b(b"prompts", key=secret[:64]).digest()
        self._tenant = tenant.to_bytes(4, "little")
        self.values: dict[str, str] = {}

    def __call__(self, value: str, kind: str, rule: str) -> str:
        """The stand-in of a value."""
        said = self._tenant + value.encode("utf-8", "replace")
        mark = hashlib.blake2b(said, key=self._key, digest_size=_LONG // 2).hexdigest()
        word = "SECRET" if kind == "secret" else _WORDS.get(rule, "ID")
        for size in (_SHORT, _LONG):
            name = f"[{word}_{mark[:size]}]"
            if self.values.setdefault(name, value) == value:
                return name
        raise OverflowError("two values have one stand-in")


def hide(leaves: list[Leaf], hits: tuple[Hit, ...], names: Placeholders) -> None:
    """Puts stand-ins into the tree that `leaves` are of. Raises OverflowError."""
    by_leaf: dict[int, list[Hit]] = {}
    for hit in hits:
        by_leaf.setdefault(hit.leaf, []).append(hit)
    renamed: dict[int, tuple[dict[str, Any], dict[str, str]]] = {}
    for number, some in by_leaf.items():
        leaf = leaves[number]
        text = _without(leaf.text, some, names)
        if leaf.name:
            _, changes = renamed.setdefault(id(leaf.holder), (leaf.holder, {}))
            changes[leaf.place] = text
        else:
            leaf.holder[leaf.place] = text
    for holder, changes in renamed.values():
        members = [(changes.get(name, name), value) for name, value in holder.items()]
        holder.clear()
        holder.update(members)


def _without(text: str, hits: list[Hit], names: Placeholders) -> str:
    raw, out, at = text.encode("utf-8", "replace"), [], 0
    for hit in hits:
        out.append(raw[at : hit.start].decode())
        out.append(names(raw[hit.start : hit.end].decode(), hit.kind, hit.rule))
        at = hit.end
    out.append(raw[at:].decode())
    return "".join(out)
