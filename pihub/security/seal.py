"""Small secrets at rest: encrypted and authenticated under a key that is not in the database.

HMAC-SHA256 of nonce and counter is the key stream, HMAC-SHA256 of nonce, owner and ciphertext
the tag (encrypt-then-MAC), each under a key of its own: a pseudorandom function in counter
mode (NIST SP 800-38A, 800-108). For a few dozen bytes; the standard library has no cipher.
"""

from __future__ import annotations

import hmac
import secrets

MARK = b"\x01"
"""The first byte: the form of what follows."""
NONCE, TAG = 16, 16
OVERHEAD = len(MARK) + NONCE + TAG


def sealed(key: bytes, plain: bytes, owner: bytes) -> bytes:
    """`owner`: whose it is; only the same opens it again."""
    nonce = secrets.token_bytes(NONCE)
    hidden = _stream(key, nonce, plain)
    return MARK + nonce + hidden + _tag(key, nonce, owner, hidden)


def opened(key: bytes, data: bytes, owner: bytes) -> bytes | None:
    """None: of another key or owner, or changed."""
    if len(data) < OVERHEAD or data[:1] != MARK:
        return None
    nonce, hidden, tag = data[1 : 1 + NONCE], data[1 + NONCE : -TAG], data[-TAG:]
    if not hmac.compare_digest(tag, _tag(key, nonce, owner, hidden)):
        return None
    return _stream(key, nonce, hidden)


def _stream(key: bytes, nonce: bytes, data: bytes) -> bytes:
    out, own = bytearray(), hmac.digest(key, b"seal encrypt", "sha256")
    for block in range(0, len(data), 32):
        pad = hmac.digest(own, nonce + block.to_bytes(8, "big"), "sha256")
        out += bytes(a ^ b for a, b in zip(data[block : block + 32], pad, strict=False))
    return bytes(out)


def _tag(key: bytes, nonce: bytes, owner: bytes, hidden: bytes) -> bytes:
    own = hmac.digest(key, b"seal authenticate", "sha256")
    said = nonce + len(owner).to_bytes(4, "big") + owner + hidden
    return hmac.digest(own, said, "sha256")[:TAG]
