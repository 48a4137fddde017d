"""Passwords: argon2id, and what is too weak to be one.

Source: OWASP Password Storage Cheat Sheet (7 MiB, 5 passes, 1 lane is one of its equal
sets; the one for small machines), NIST SP 800-63B-4 (length and a block list, no rules of
composition). argon2 is loaded at the first login, not before.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterable
from typing import Any

from pihub.errors import BadRequest
from pihub.security.guessable import guessable

SHORTEST = 12
LONGEST = 256
MEMORY_KIB = 7 * 1024
PASSES = 5
M_MMAP_THRESHOLD = -3
AT_ONCE = 2
"""Hashes at the same time: 14 MiB at most."""


class Passwords:
    """Hashes and verifies; at most two at once, the others wait."""

    def __init__(self) -> None:
        self._turn = threading.Semaphore(AT_ONCE)
        self._hasher: Any = None
        self._dummy = ""

    def hash(self, password: str) -> str:
        """The encoded argon2id hash."""
        with self._turn:
            return str(self._argon2().hash(password))

    def verify(self, encoded: str, password: str) -> bool:
        """An empty `encoded` (nobody's) takes as long as a real one, and is never right."""
        from argon2.exceptions import InvalidHashError, VerificationError

        with self._turn:
            hasher = self._argon2()
            try:
                right = bool(hasher.verify(encoded or self._dummy, password[:LONGEST]))
            except (VerificationError, InvalidHashError):
                return False
        return right and encoded != ""

    def _argon2(self) -> Any:
        if self._hasher is None:
            from argon2 import PasswordHasher

            _return_large_blocks()
            self._hasher = PasswordHasher(
                time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1
            )
            self._dummy = self._hasher.hash("nobody")
        return self._hasher


def _return_large_blocks() -> None:
    """Let glibc map blocks from 1 MiB on their own and give them back when they are freed.

    Left to itself it keeps the 7 MiB of a hash for every thread that ever made one.
    Source: mallopt(3), M_MMAP_THRESHOLD. Other libraries have no such call.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 1 << 20)


def require_strong(password: str, words: Iterable[str] = ()) -> None:
    """`words`: what an attacker tries first, such as the user's name. Raises BadRequest."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadRequest(
            f"a password has {SHORTEST} to {LONGEST} characters; several words make a good one",
            param="password",
        )
    why = guessable(password, words)
    if why:
        raise BadRequest(f"the password {why}", param="password")
