"""One-time passwords by time, and the codes for the day the phone is lost.

Source: RFC 6238 (SHA-1, 6 digits, 30 s: what every authenticator app can), RFC 4226; the
URI is Google Authenticator's key URI format.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from urllib.parse import quote

STEP = 30
SECRET_BYTES = 20
DRIFT = 1
"""Steps that a clock may be off, either way."""
CODES = 10


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def code(secret: bytes, step: int) -> str:
    """The six digits of one step."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    at = digest[-1] & 15
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def verify(secret: bytes, given: str, now: float, last: int) -> int | None:
    """The step of a right code that is newer than `last`; None: wrong, or used already."""
    given = given.replace(" ", "")
    here = int(now) // STEP
    found = None
    for step in range(here - DRIFT, here + DRIFT + 1):
        if hmac.compare_digest(code(secret, step).encode(), given.encode()) and step > last:
            found = step
    return found


def uri(secret: bytes, user: str, host: str) -> str:
    """What an authenticator app reads from a QR code or a link."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return f"otpauth://totp/{quote(f'pihub ({host}):{user}')}?secret={text}&issuer=pihub"


def recovery_codes() -> list[str]:
    """Ten codes of 50 bits, each good once."""
    return ["-".join((_five(), _five())) for _ in range(CODES)]


def recovery_hash(key: bytes, given: str) -> bytes:
    """As codes are kept."""
    plain = "".join(c for c in given.lower() if c.isalnum())
    return hmac.digest(key, b"recovery " + plain.encode(), "sha256")


def _five() -> str:
    return "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(5))
