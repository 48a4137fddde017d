"""What an image costs in tokens, by its size in pixels.

Source: Anthropic's documentation, "Vision": about width x height / 750, after an image
of more than 1568 pixels a side was scaled down. The size stands in the first bytes.
"""

from __future__ import annotations

import base64
import binascii
import struct

HEAD = 64 * 1024
"""Base64 characters that are looked at; a JPEG's size may stand behind its thumbnail."""
UNKNOWN = 1000
"""Tokens of an image whose size is not found."""
SIDE = 1568
PIXELS_PER_TOKEN = 750


def image_tokens(data: str) -> int:
    """Of base64 data. At least 1."""
    try:
        head = base64.b64decode(data[:HEAD] + "=" * (-len(data[:HEAD]) % 4))
    except (binascii.Error, ValueError):
        return UNKNOWN
    size = pixels(head)
    if size is None:
        return UNKNOWN
    width, height = size
    scale = min(1.0, SIDE / max(width, height, 1))
    return max(1, round(width * scale * height * scale / PIXELS_PER_TOKEN))


def pixels(head: bytes) -> tuple[int, int] | None:
    """(width, height) of a PNG, GIF, JPEG or WebP; None if it is not found."""
    try:
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack(">II", head[16:24])
            return width, height
        if head.startswith((b"GIF87a", b"GIF89a")):
            width, height = struct.unpack("<HH", head[6:10])
            return width, height
        if head.startswith(b"\xff\xd8"):
            return _jpeg(head)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp(head)
    except (struct.error, IndexError):
        pass
    return None


def _jpeg(head: bytes) -> tuple[int, int] | None:
    """The first frame header (ITU T.81, B.2.2): markers C0 to CF but C4, C8 and CC."""
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        width = int.from_bytes(head[24:27], "little") + 1
        return width, int.from_bytes(head[27:30], "little") + 1
    return None
