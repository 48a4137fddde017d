"""Validators: conditions of the client, conditions to the upstream, freshening."""

from __future__ import annotations

import re
from typing import Final

from pihub.domain.ports import Headers
from pihub.gateway.api.headers import field
from pihub.gateway.api.http_date import parse_date

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_IN_304: Final = frozenset(
    {"age", "cache-control", "content-location", "date", "etag", "expires", "vary", "via"}
)
_KEPT: Final = frozenset(
    {"content-length", "content-encoding", "content-type", "content-range", "transfer-encoding"}
)
"""What a 304 does not change: it describes the stored body (RFC 9111 section 3.2)."""
CONDITIONS: Final = frozenset({"if-none-match", "if-modified-since"})


def for_upstream(request: Headers, stored: Headers) -> list[tuple[str, str]]:
    """`request` with the stored answer's validators as its conditions.

    Empty if it has none.
    """
    etag = field(stored, "etag")
    modified = field(stored, "last-modified")
    if etag is None and modified is None:
        return []
    out = [(name, value) for name, value in request if name not in CONDITIONS]
    if etag is not None:
        out.append(("if-none-match", etag))
    if modified is not None:
        out.append(("if-modified-since", modified))
    return out


def same_representation(stored: Headers, answer: Headers) -> bool:
    """Does a 304 speak of the stored answer? (RFC 9111 section 4.3.4)"""
    told = field(answer, "etag")
    have = field(stored, "etag")
    return told is None or have is None or _opaque(told) == _opaque(have)


def not_modified(request: Headers, status: int, stored: Headers) -> bool:
    """Does the client already have this answer? (RFC 9110 section 13.2.2)"""
    if status != 200:
        return False
    tags = field(request, "if-none-match")
    if tags is not None:
        if tags.strip() == "*":
            return True
        etag = field(stored, "etag")
        return etag is not None and _opaque(etag) in {_opaque(t) for t in _TAG.findall(tags)}
    since = parse_date(field(request, "if-modified-since") or "")
    modified = parse_date(field(stored, "last-modified") or "")
    return since is not None and modified is not None and modified <= since


def head_of_304(headers: Headers) -> list[tuple[str, str]]:
    """What of a 200's fields its 304 carries."""
    names = _IN_304
    if field(headers, "etag") is None:
        names = names | {"last-modified"}
    return [(n, v) for n, v in headers if n in names or n.startswith("access-control-")]


def freshened(stored: Headers, answer: Headers) -> list[tuple[str, str]]:
    """The stored fields, brought up to date by those of a 304."""
    new = [(name, value) for name, value in answer if name not in _KEPT and name != "set-cookie"]
    names = {name for name, _ in new}
    # Age belongs to one answer: an old one must not survive its 304.
    names.add("age")
    return [(n, v) for n, v in stored if n not in names] + new


def _opaque(tag: str) -> str:
    """For the weak comparison."""
    return tag.strip().removeprefix("W/")
