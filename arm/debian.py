"""Packages of a Debian suite for any architecture, without touching this machine's dpkg.

An apt of its own state: lists, caches and status live in one folder, the mirror and the
keys are those of this machine's apt. Needs `apt-get`, `dpkg-deb` and `tar`.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

SUITES = {"3.11": "bookworm", "3.13": "trixie", "3.14": "sid"}
"""Which suite's Python is which."""
DEBIAN_NAMES = {"aarch64": "arm64", "x86_64": "amd64"}
MOUNT_POINTS = ("dev", "proc", "sys", "tmp", "run", "root", "etc/ssl/certs")


class DebianError(Exception):
    """The packages cannot be had; the message says why."""


def mirror() -> str:
    """The first Debian archive in this machine's sources (override: PIHUB_DEBIAN_MIRROR)."""
    if given := os.environ.get("PIHUB_DEBIAN_MIRROR"):
        return given
    folder = Path("/etc/apt/sources.list.d")
    for file in [*sorted(folder.glob("*.sources")), Path("/etc/apt/sources.list")]:
        if file.exists():
            pattern = r"^(?:URIs:|deb(?: \[[^\]]*\])?) *(\S*/debian)/?(?: |$)"
            if found := re.search(pattern, file.read_text(), re.MULTILINE):
                return found[1]
    raise DebianError("no Debian archive in /etc/apt: name one in PIHUB_DEBIAN_MIRROR")


class Apt:
    """One suite and architecture, with its state in `folder`."""

    def __init__(self, folder: Path, suite: str, machine: str) -> None:
        self.folder = folder.resolve()
        self.arch = DEBIAN_NAMES[machine]
        self.suite = suite

    def debs(self, packages: Iterable[str], *, closure: bool) -> list[Path]:
        """Downloads `packages` (with all they depend on if `closure`); the .deb files."""
        wanted = sorted(packages)
        stamp = self.folder / f"fetched-{sha256(' '.join(wanted).encode()).hexdigest()[:16]}"
        cache = self.folder / "cache" / "archives"
        if not stamp.exists():
            self._prepare()
            self._run("update", "-qq")
            if closure:
                self._run("install", "--download-only", "-y", "-qq", "--no-install-recommends",
                          *wanted)  # fmt: skip
            else:
                self._run("download", "-qq", *wanted, folder=cache)
            stamp.touch()
        return sorted(cache.glob("*.deb"))

    def _prepare(self) -> None:
        for name in ("etc", "state/lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "state" / "status").touch()
        keys = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
        if not keys.exists():
            raise DebianError("the archive's keys are missing: apt install debian-archive-keyring")
        (self.folder / "etc" / "sources.list").write_text(
            f"deb [signed-by={keys}] {mirror()} {self.suite} main\n"
        )

    def _run(self, *words: str, folder: Path | None = None) -> None:
        home = self.folder
        options = {
            "APT::Architecture": self.arch,
            "APT::Architectures::": self.arch,
            "Dir::Etc::SourceList": home / "etc" / "sources.list",
            "Dir::Etc::SourceParts": "/nonexistent",
            "Dir::State": home / "state",
            "Dir::State::Lists": home / "state" / "lists",
            "Dir::State::status": home / "state" / "status",
            "Dir::Cache": home / "cache",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
        }
        flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        run(["apt-get", *flags, *words], cwd=folder)


def unpack(debs: Sequence[Path], root: Path) -> Path:
    """Unpacks packages into `root`; no script of theirs runs. With /usr merged."""
    if (root / ".unpacked").exists():
        return root
    for name in ("bin", "sbin", "lib"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    for deb in debs:
        packed = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE)
        run(["tar", "-x", "--keep-directory-symlink", "-C", str(root)], stdin=packed.stdout)
        if packed.wait() != 0:
            raise DebianError(f"{deb.name} cannot be unpacked")
    for name in MOUNT_POINTS:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / ".unpacked").touch()
    return root


def run(command: Sequence[str], **options: object) -> None:
    """Runs to the end, silent if it succeeds. Raises DebianError with what it said."""
    done = subprocess.run(  # type: ignore[call-overload]
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )
    if done.returncode != 0:
        raise DebianError(f"{' '.join(command[:1])} failed: {done.stdout[-2000:]}")
