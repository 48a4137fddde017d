"""Archives whose bytes depend on their content alone: sorted, without owners or times."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path


def tar(folder: Path, top: str, epoch: int) -> bytes:
    """`folder` as an uncompressed ustar archive below `top/` ("" for none)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        paths: Iterable[Path] = sorted(folder.rglob("*"))
        for path in [folder, *paths]:
            name = f"{top}/{path.relative_to(folder)}" if path != folder else top or "."
            info = archive.gettarinfo(str(path), name if top else f"./{path.relative_to(folder)}")
            info.uid = info.gid = 0
            info.uname = info.gname = "root"
            info.mtime = epoch
            executable = path.is_dir() or path.stat().st_mode & 0o100
            info.mode = 0o755 if executable else 0o644
            if info.isreg():
                with path.open("rb") as file:
                    archive.addfile(info, file)
            else:
                archive.addfile(info)
    return out.getvalue()


def tar_gz(folder: Path, top: str, epoch: int) -> bytes:
    """The same, compressed."""
    return gzip.compress(tar(folder, top, epoch), 9, mtime=epoch)


def ar(members: dict[str, bytes], stamp: int) -> bytes:
    """ar(5), as deb(5) wants it."""
    out = io.BytesIO(b"!<arch>\n")
    out.seek(0, io.SEEK_END)
    for name, data in members.items():
        out.write(f"{name:<16}{stamp:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode())
        out.write(data + b"\n" * (len(data) % 2))
    return out.getvalue()


def members(archive: bytes) -> dict[str, bytes]:
    """What `ar` put together. Raises ValueError for what is no such archive."""
    if not archive.startswith(b"!<arch>\n"):
        raise ValueError("not an ar archive")
    at, found = 8, {}
    while at < len(archive):
        name, size = archive[at : at + 16].decode().strip(), int(archive[at + 48 : at + 58])
        found[name] = archive[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    return found


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums(folder: Path) -> str:
    """SHA256SUMS of all files below `folder`, as sha256sum writes them."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    return "".join(f"{sha256(path)}  {path.relative_to(folder)}\n" for path in files)
