"""The Debian package in a system of its suite: installed, upgraded, removed, purged.

dpkg itself does it, with the package's own scripts, in a root in which every package
that ours needs counts as installed (`package_root`). debootstrap would run the scripts
of a hundred packages under emulation: five minutes instead of fifteen seconds.
"""

from __future__ import annotations

import io
import lzma
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from arm.archive import ar, members, tar
from arm.debian import DEBIAN_NAMES, SUITES, Apt, unpack
from arm.root import PACKAGES, inside
from arm.wheels import ROOT, WheelError, epoch
from pihub import __version__

NEEDED = (*PACKAGES, "dpkg", "adduser", "passwd", "login", "diffutils", "perl-base",
          "util-linux", "procps", "init-system-helpers", "libpython3-stdlib")  # fmt: skip
NEWER = "9.9.9"
"""The version of the package that upgrades: the same content."""
USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
GROUPS = "root:x:0:\nadm:x:4:\nnogroup:x:65534:\n"


def package_root(version: str, machine: str, cpu: str, work: Path) -> Path:
    """A system with Python and dpkg; one for each `cpu`, since proofs may run side by side."""
    suite = SUITES[version]
    home = (work / f"packaged-{suite}-{machine}").resolve()
    debs = Apt(home / "apt", suite, machine).debs(NEEDED, closure=True)
    return believed(debs, home / f"root-{cpu}", machine)


def believed(debs: Sequence[Path], root: Path, machine: str) -> Path:
    """A fresh system of these packages, which dpkg believes installed."""
    shutil.rmtree(root, ignore_errors=True)  # what an earlier proof left in it
    unpack(debs, root)
    for name, text in (("passwd", USERS), ("group", GROUPS), ("shadow", "root:*:19000::::::\n"),
                       ("gshadow", "")):  # fmt: skip
        (root / "etc" / name).write_text(text)
    if not (root / "usr/bin/sh").exists():
        (root / "usr/bin/sh").symlink_to("dash")
    if not (root / "usr/bin/awk").exists():
        (root / "usr/bin/awk").symlink_to("mawk")
    state = root / "var/lib/dpkg"
    for name in ("info", "updates", "triggers", "parts", "alternatives"):
        (state / name).mkdir(parents=True, exist_ok=True)
    known = []
    for deb in debs:
        fields = subprocess.run(
            ["dpkg-deb", "--field", str(deb)], capture_output=True, text=True, check=True
        ).stdout
        known.append(f"{fields.rstrip()}\nStatus: install ok installed\n")
        package = fields.partition("Package: ")[2].partition("\n")[0]
        if "\nMulti-Arch: same\n" in fields:
            package += f":{DEBIAN_NAMES[machine]}"
        (state / "info" / f"{package}.list").touch()
    (state / "status").write_text("\n".join(known))
    return root


def newer(machine: str, dist: Path, work: Path) -> tuple[Path, Path]:
    """The package of `dist`, and one of a later version with the same content.

    Raises WheelError if the package is missing.
    """
    arch = DEBIAN_NAMES[machine]
    deb = dist / f"pihub_{__version__}_{arch}.deb"
    if not deb.exists():
        raise WheelError(f"{deb} is missing: run `make deb` first")
    upgrade = work / f"pihub_{NEWER}_{arch}.deb"
    upgrade.write_bytes(renumbered(deb.read_bytes(), NEWER))
    return deb, upgrade


def renumbered(deb: bytes, version: str) -> bytes:
    """The same package as if of another version; its files are not compressed anew."""
    parts = members(deb)
    with tempfile.TemporaryDirectory(prefix="renumbered-") as name:
        folder = Path(name)
        with tarfile.open(fileobj=io.BytesIO(parts["control.tar.xz"])) as packed:
            packed.extractall(folder, filter="data")
        control = folder / "control"
        text = re.sub(r"^Version: .*$", f"Version: {version}", control.read_text(), flags=re.M)
        control.write_text(text)
        parts["control.tar.xz"] = lzma.compress(tar(folder, "", int(epoch())))
    return ar(parts, int(epoch()))


def proof(version: str, machine: str, cpu: str, dist: Path, work: Path) -> list[str]:
    """The command that proves the package of `dist` for one Python's suite; needs root.

    Raises DebianError; WheelError if the package is missing.
    """
    deb, upgrade = newer(machine, dist, work)
    root = package_root(version, machine, cpu, work)
    binds = {"mnt/dist": dist, "mnt/newer": work, "mnt/arm": ROOT / "arm"}
    script = ["sh", "/mnt/arm/in_package.sh", f"/mnt/dist/{deb.name}", f"/mnt/newer/{upgrade.name}",
              NEWER]  # fmt: skip
    return inside(root, cpu, script, binds)
