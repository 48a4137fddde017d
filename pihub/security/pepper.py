"""The secret under which key tokens are hashed: a small file beside the database."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from pathlib import Path

from pihub.errors import StartupError
from pihub.shared.tokenhash import PEPPER_BYTES

FILE_NAME = "pepper.key"


def load_pepper(folder: Path) -> bytes:
    """16 bytes, the same for every process and every start.

    Made on first use, whole or not at all, mode 0600. Without it no key works any
    more, so it belongs into the backup. Raises StartupError.
    """
    path = folder / FILE_NAME
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            _create(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        data = path.read_bytes()
    except OSError as error:
        raise StartupError(f"cannot read or make {path}: {error}") from None
    if mode & 0o077:
        raise StartupError(f"{path} is readable by others: chmod 600 {path}")
    if len(data) != PEPPER_BYTES:
        raise StartupError(f"{path} is damaged ({len(data)} bytes): restore it from a backup")
    return data


def derived(pepper: bytes, purpose: str) -> bytes:
    """A secret of its own for one purpose: 32 bytes (HKDF-Expand's first block, RFC 5869)."""
    return hmac.digest(pepper, b"pihub " + purpose.encode() + b"\x01", "sha256")


def _create(path: Path) -> None:
    # A complete file appears under the final name or none does; of two processes that
    # start at once the first wins and the second reads the first's.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(secrets.token_bytes(PEPPER_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        os.unlink(draft)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
