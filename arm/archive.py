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


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums(folder: Path) -> str:
    """SHA256SUMS of all files below `folder`, as sha256sum writes them."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    return "".join(f"{sha256(path)}  {path.relative_to(folder)}\n" for path in files)
