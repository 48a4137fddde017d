"""The one function that turns a token into what is stored and compared."""

from __future__ import annotations

from pihub._core.hashing import siphash128

PEPPER_BYTES = 16


def token_hash(pepper: bytes, token: str) -> tuple[int, int]:
    """SipHash-2-4-128 under the pepper, as the shared key table computes it.

    (high, low) 64-bit halves. Enough for tokens of 256 random bits: there is nothing
    to guess, so nothing to slow down.
    """
    return siphash128(pepper, token.encode("ascii"))
