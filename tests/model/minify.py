"""The obvious twin of include/ph_minify.h: one character at a time, with a state."""

from __future__ import annotations

SPACE, MARKS = b" \t\n\r", b'{}[]:,"'


def minify(text: bytes) -> bytes:
    """Without whitespace outside of strings; empty if that could change its meaning."""
    out = bytearray()
    inside = escaped = gap = False
    for number in text:
        char = bytes([number])
        if inside:
            out += char
            if escaped:
                escaped = False
            elif char == b"\\":
                escaped = True
            elif char == b'"':
                inside = False
        elif char in SPACE:
            gap = True
        else:
            if gap and out and out[-1:] not in MARKS and char not in MARKS:
                return b""
            gap = False
            out += char
            inside = char == b'"'
    return b"" if inside else bytes(out)
