"""The form of an API key: `ph_`, 256 random bits in base64url, a checksum.

The prefix and the checksum let secret scanners and people tell a real key from a typo
or a placeholder without asking the hub. Source of the idea: GitHub, "Behind GitHub's
new authentication token formats" (2021).
"""

from __future__ import annotations

import base64
import re
import secrets
import zlib

PREFIX = "ph_"
SECRET_BYTES = 32
SECRET_CHARS = 43
CHECK_CHARS = 6
"""CRC-32 in base 62, padded with zeros."""
HINT_CHARS = 7

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(rf"ph_[A-Za-z0-9_-]{{{SECRET_CHARS}}}[0-9A-Za-z]{{{CHECK_CHARS}}}")


def new_token() -> str:
    """A fresh key from the system's generator."""
    secret = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=")
    return PREFIX + secret + _check(secret)


def well_formed(token: str) -> bool:
    """Whether it could be a key: shape and checksum, not whether it is known."""
    return bool(_SHAPE.fullmatch(token)) and token.endswith(
        _check(token[len(PREFIX) : -CHECK_CHARS])
    )


def hint(token: str) -> str:
    """The first characters, by which people recognise a key in a list."""
    return token[:HINT_CHARS] + "…"


def _check(secret: str) -> str:
    number, out = zlib.crc32(secret.encode()), ""
    for _ in range(CHECK_CHARS):
        number, digit = divmod(number, 62)
        out = _DIGITS[digit] + out
    return out
