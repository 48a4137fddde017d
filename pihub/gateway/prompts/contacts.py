"""E-mail addresses, telephone numbers and IP addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import partial

from pihub.gateway.prompts.span import AROUND, Look, Span, before, digits

_DOMAIN = re.compile(
    rb"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,6}[A-Za-z]{2,24}(?![\w-])"
)
_IN_URL = re.compile(rb"://[^\s\0\"'<>]{0,128}\Z")
_NO_PERSON = frozenset({b"git", b"hg", b"svn", b"noreply", b"no-reply", b"do-not-reply", b"npm"})
"""Addresses of programs."""
_ABROAD = re.compile(
    rb"(?<![\w).\]+])\+[1-9]\d{0,2}[ .\-/]?(?:\(\d{1,5}\)[ .\-/]?)?"
    rb"(?:\d{1,6}[ .\-/]?){1,6}(?<=\d)(?![\w(*])"
)
_NORTH_AMERICA = re.compile(
    rb"(?<![\w.\-/+])(?:\([2-9]\d\d\) ?|[2-9]\d\d-)[2-9]\d\d-\d{4}(?![\w-])"
)
_AT_HOME = re.compile(rb"(?<![\w.\-/+])\(?0\d{1,5}\)?(?:[ \-/]?\d{1,6}){1,5}(?![\w-]|\.\d)")
_CALL = re.compile(
    rb"(?:\btel|phone|mobile|mobil|\bcell|\bcall|\bfon|handy|\bfax|whatsapp|telefon|rufnummer"
    rb"|t\xc3\xa9l|numero)[\w.]{0,12}[\s:(]*(?:nr|no|is|ist|unter|me|at|number)?[\s.:(]*$"
)
_SAYS = (
    b"tel", b"phone", b"mobil", b"cell", b"call", b"fon", b"handy", b"fax", b"whatsapp",
    b"rufnummer", b"t\xc3\xa9l", b"numero",
)  # fmt: skip
"""One of these words must stand somewhere."""
_IPV4 = re.compile(rb"(?<![\w.\-/])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)")


def emails(data: bytes) -> Iterator[Span]:
    """Addresses of people, by the usual part of RFC 5321."""
    for found in _DOMAIN.finditer(data):
        start = found.start()
        left = _local(data, start)
        if left is None or left[0] in b"." or left.lower() in _NO_PERSON:
            continue
        if _IN_URL.search(data, max(0, start - 200), start - len(left)):
            continue  # a user or password of a URL
        yield Span(start - len(left), found.end(), "personal", "email")


def _local(data: bytes, end: int) -> bytes | None:
    """What may stand before the @, of at most 64 bytes."""
    begin = max(0, end - 64)
    at = end
    while at > begin and data[at - 1] in _LOCAL_BYTES:
        at -= 1
    return data[at:end] or None


_LOCAL_BYTES = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-"
)


def phones(data: bytes) -> Look:
    """International ones (E.164), North American ones by their form, others after a word that
    says so."""
    return partial(_phones, data, named=any(map(data.lower().__contains__, _SAYS)))


def _phones(data: bytes, start: int, end: int, *, named: bool) -> Iterator[Span]:
    start, end = max(0, start - 2), end + AROUND
    for found in _ABROAD.finditer(data, start, end):
        if 8 <= len(digits(found[0])) <= 15:
            yield Span(found.start(), found.end(), "personal", "phone")
    for found in _NORTH_AMERICA.finditer(data, start, end):
        yield Span(found.start(), found.end(), "personal", "phone")
    for found in _AT_HOME.finditer(data, start, end) if named else ():
        said = _CALL.search(before(data, found.start()))
        if 7 <= len(digits(found[0])) <= 13 and said:
            yield Span(found.start(), found.end(), "personal", "phone")


def addresses(data: bytes) -> Look:
    """Public IPv4 addresses."""
    return partial(_addresses, data)


def _addresses(data: bytes, start: int, end: int) -> Iterator[Span]:
    for found in _IPV4.finditer(data, start, end + AROUND):
        try:
            public = ipaddress.IPv4Address(found[0].decode()).is_global
        except ValueError:
            continue
        if public:
            yield Span(found.start(), found.end(), "personal", "ip-address")
