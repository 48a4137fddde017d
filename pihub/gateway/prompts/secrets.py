"""Secrets of known shapes: vendors' keys, private keys, tokens, passwords in URLs.

The core's matcher finds the anchors in one pass; a bounded expression judges what stands
there. Where a shape alone says little, the value must also look random (Shannon's entropy).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from math import log2

from pihub.gateway.prompts.shapes import SHAPES, Shape
from pihub.gateway.prompts.span import Span
from pihub.shared.words import Matcher

MOST_ANCHORS = 20_000
"""A text with more of them is not judged any further (RAM: 2 MB while it is)."""
LONGEST_KEY = 16_384
"""Bytes of a private key."""


_PEM_HEAD = re.compile(rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(rb"-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_OPEN = re.compile(rb"(?:[A-Za-z0-9+/=]|\\[nr]|\s){40,%d}+" % LONGEST_KEY)
_JWT = re.compile(
    rb"(eyJ[A-Za-z0-9_-]{8,2000}+)\.(eyJ[A-Za-z0-9_-]{8,8000}+)\.[A-Za-z0-9_-]{16,1500}+(?![A-Za-z0-9_])"
)
_IN_URL = re.compile(
    rb"://[^\s:@/\"'<>\\\0]{0,128}:([^\s:@/\"'<>\\\0]{3,256})@(?=[A-Za-z0-9\[])"
)
_NAMED = re.compile(
    rb"(?i:password|passwd|passphrase|pwd|secret|secret[_-]?key|api[_-]?key|apikey|access[_-]?key"
    rb"|auth[_-]?token|access[_-]?token|client[_-]?secret|secret[_-]?access[_-]?key)"
    rb"\\?[\"']?\s{0,4}(?:=|:|=>|:=)\s{0,4}(?:\\?[\"']([^\"'\\\s\0]{8,256})\\?[\"']"
    rb"|([A-Za-z0-9+/=_.~!@#%^&*-]{8,256}+)(?=[\s;,\0]|\Z))"
)
_NAMES = (
    b"password", b"passwd", b"passphrase", b"pwd", b"secret", b"api_key", b"api-key", b"apikey",
    b"access_key", b"access-key", b"auth_token", b"auth-token", b"access_token", b"access-token",
    b"client_secret", b"client-secret",
)  # fmt: skip
_EXAMPLE = re.compile(
    rb"(?i)example|changeme|change_me|placeholder|your[_-]|my[_-]?(?:password|secret|key)|dummy"
    rb"|redacted|xxxx|\*\*\*|<|>|\$\{|\{\{|\$\(|%\(|^\$|^(?:password|passwd|pass|secret|token|none"
    rb"|null|true|false|undefined|string|test|user|admin|root|postgres|guest)\d{0,4}$|\(\)|\[|\]"
    rb"|^(?:os|process|self|config|settings|env|this|req|request|app)\.|\.\.\."
)
_TELEGRAM = re.compile(rb":AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])")


class Secrets:
    """Find them in a text. RAM: about 100 KiB a process for the matcher's tables."""

    def __init__(self) -> None:
        table: list[tuple[bytes, Shape | str]] = [
            (anchor, shape) for shape in SHAPES for anchor in shape.anchors
        ]
        table += [(b"-----begin ", "pem"), (b"eyj", "jwt"), (b"://", "url"), (b":aa", "telegram")]
        table += [(name, "named") for name in _NAMES]
        self._table = table
        self._words = Matcher(tuple(anchor for anchor, _ in table))

    def find(self, data: bytes) -> Iterator[Span]:
        """In no order; they may overlap. Raises OverflowError for MOST_ANCHORS."""
        anchors = self._words.all(data, MOST_ANCHORS)
        if len(anchors) >= MOST_ANCHORS:
            raise OverflowError("too many places that look like the beginning of a secret")
        done = -1
        for index, end in anchors:
            anchor, what = self._table[index]
            start = end - len(anchor)
            if start < done:
                continue  # within the private key before it
            if isinstance(what, Shape):
                span = _shaped(data, start, what)
            elif what == "pem":
                span = _pem(data, start)
                done = span.end if span is not None else done
            elif what == "jwt":
                span = _jwt(data, start)
            elif what == "telegram":
                span = _telegram(data, start)
            elif what == "url":
                span = _value(data, _IN_URL.match(data, start), "password-in-url", 3, 0.0)
            else:
                span = _named(data, start)
            if span is not None:
                yield span


def entropy(value: bytes) -> float:
    """Shannon's, in bits a character."""
    size = len(value)
    return -sum(n / size * log2(n / size) for n in map(value.count, set(value)))


def _inside_word(data: bytes, start: int) -> bool:
    """Whether what begins at `start` is the end of a longer word ("task-", "desk-")."""
    return start > 0 and (data[start - 1 : start].isalnum() or data[start - 1] in b"_-")


def _shaped(data: bytes, start: int, shape: Shape) -> Span | None:
    if _inside_word(data, start):
        return None
    found = shape.form.match(data, start)
    if found is None:
        return None
    group = 1 if shape.form.groups else 0
    value = found[group]
    # What a vendor made holds digits; "sk-this-is-how-you-write-a-slug" does not.
    if shape.entropy and (entropy(value) < shape.entropy or not any(48 <= b <= 57 for b in value)):
        return None
    return Span(found.start(group), found.end(group), "secret", shape.rule)


def _pem(data: bytes, start: int) -> Span | None:
    """To its end; of one that was cut off, what looks like the key."""
    head = _PEM_HEAD.match(data, start)
    if head is None:
        return None
    most = start + LONGEST_KEY
    at = data.find(b"-----END ", head.end(), most)
    end = None if at < 0 or b"\0" in data[start:at] else _PEM_END.match(data, at)
    end = end or _PEM_OPEN.match(data, head.end(), most)
    return None if end is None else Span(start, end.end(), "secret", "private-key")


def _jwt(data: bytes, start: int) -> Span | None:
    found = None if _inside_word(data, start) else _JWT.match(data, start)
    if found is None:
        return None
    try:
        head = base64.urlsafe_b64decode(found[1] + b"=" * (-len(found[1]) % 4))
    except ValueError:
        return None
    if not head.startswith(b"{") or b'"alg"' not in head:
        return None
    return Span(found.start(), found.end(), "secret", "jwt")


def _telegram(data: bytes, start: int) -> Span | None:
    """A bot's number stands before the colon."""
    found = _TELEGRAM.match(data, start)
    begin = start
    while begin > 0 and start - begin < 11 and 48 <= data[begin - 1] <= 57:
        begin -= 1
    if found is None or not 8 <= start - begin <= 10 or data[max(0, begin - 1) : begin].isalpha():
        return None
    return Span(begin, found.end(), "secret", "telegram-token")


def _named(data: bytes, start: int) -> Span | None:
    found = _NAMED.match(data, start)
    return _value(data, found, "named-secret", 8, 2.5)


def _value(
    data: bytes, found: re.Match[bytes] | None, rule: str, least: int, bits: float
) -> Span | None:
    """A value that somebody wrote by hand: no placeholder, not one plain word."""
    if found is None:
        return None
    group = found.lastindex or 0
    value = found[group]
    if len(value) < least or _EXAMPLE.search(value):
        return None
    plain_word = value.isalpha() and (value.islower() or value.istitle())
    if bits and (plain_word or entropy(value) < bits):
        return None
    if group == 2 and not _mixed(value):
        return None  # without quotes it may be code: a name, a call
    return Span(found.start(group), found.end(group), "secret", rule)


def _mixed(value: bytes) -> bool:
    """Letters and digits, so no plain name or number."""
    return any(48 <= b <= 57 for b in value) and any(chr(b).isalpha() for b in value)
