"""`make deb`: one Debian package a machine, for bookworm (3.11) and trixie (3.13) alike.

    python deploy/debian/build.py --machine aarch64

/usr/lib/pihub is laid out as a virtual environment with one site-packages for both
Pythons: extensions carry their version in their names, all other files are the same
(the build stops if not). Nothing of the user's Python can get in, and pip is not needed.
Byte code is made at installation, as Debian's own Python packages do.
"""

from __future__ import annotations

import argparse
import lzma
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from arm.archive import ar, tar  # noqa: E402  (the repository is put on the path first)
from arm.debian import DEBIAN_NAMES  # noqa: E402
from arm.wheels import epoch, platforms  # noqa: E402
from pihub import __version__  # noqa: E402

PYTHONS = ("3.11", "3.13")
HOME = "usr/lib/pihub"
SITE = f"{HOME}/lib/python3.11/site-packages"
LARGEST = 60 << 20
"""Bytes installed, at most."""
LEFT_OUT = {"sqlite_extra_binaries", "_pihub_build.py", "__pycache__"}
"""What apsw brings along and nothing here loads; the name of a build of the server."""
UNUSED = ("*.pyx", "*.pxd", "*.c", "*.h", "*.cpp", "*.pyi", "RECORD", "direct_url.json",
          "REQUESTED", "INSTALLER")  # fmt: skip
CONTROL = """Package: pihub
Version: {version}
Architecture: {arch}
Maintainer: The pihub authors <pihub@localhost>
Section: net
Priority: optional
Depends: python3 (>= 3.11), python3 (<< 3.12) | python3 (>= 3.13), python3 (<< 3.14), \
libc6 (>= 2.36), libstdc++6, libgcc-s1, adduser
Recommends: ca-certificates
Installed-Size: {kib}
Description: gateway to models and APIs for a small machine
 One process in front of Ollama, Claude and other APIs: cache, limits, fallbacks,
 budgets and an operations page, in under 100 MB of memory.
"""


class PackageError(Exception):
    """The package cannot be built; the message says why."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--machine", action="append", choices=sorted(DEBIAN_NAMES))
    parser.add_argument("--wheels", type=Path, default=ROOT / "dist" / "wheels")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    args = parser.parse_args(argv)
    for machine in args.machine or sorted(DEBIAN_NAMES):
        try:
            made = build(args.wheels / machine, machine, args.out)
        except PackageError as error:
            print(f"deb: {error}", file=sys.stderr)
            return 1
        print(f"{made.stat().st_size:>9,} {made.name}")
    return 0


def build(wheels: Path, machine: str, out: Path) -> Path:
    """The .deb of one machine. Raises PackageError."""
    root = ROOT / "build" / "debian" / machine
    shutil.rmtree(root, ignore_errors=True)
    (root / SITE).mkdir(parents=True)
    for python in PYTHONS:
        merge(install(wheels, machine, python, root.with_name(f"{machine}-{python}")), root / SITE)
    lay_out(root)
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    if size > LARGEST:
        raise PackageError(f"{size} bytes would be installed, over {LARGEST}")
    arch = DEBIAN_NAMES[machine]
    control = root.with_name(f"{machine}-control")
    shutil.rmtree(control, ignore_errors=True)
    control.mkdir()
    (control / "control").write_text(
        CONTROL.format(version=__version__, arch=arch, kib=(size + 1023) // 1024)
    )
    (control / "conffiles").write_text("/etc/pihub/environment\n")
    for name in ("postinst", "prerm", "postrm"):
        shutil.copy(HERE / name, control / name)
    made = out / f"pihub_{__version__}_{arch}.deb"
    out.mkdir(parents=True, exist_ok=True)
    made.write_bytes(
        ar(
            {
                "debian-binary": b"2.0\n",
                "control.tar.xz": lzma.compress(tar(control, "", int(epoch())), preset=6),
                "data.tar.xz": lzma.compress(tar(root, "", int(epoch())), preset=6),
            },
            int(epoch()),
        )
    )
    return made


def install(wheels: Path, machine: str, python: str, to: Path) -> Path:
    """What pip installs for that Python, without running anything of it."""
    shutil.rmtree(to, ignore_errors=True)
    abi = "cp" + python.replace(".", "")
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--no-index", "--no-deps", "--no-compile", "--only-binary=:all:", "--target", str(to),
             "--implementation", "cp", "--python-version", python,
             "--abi", abi, "--abi", "abi3", "--abi", "none"]  # fmt: skip
    for name in platforms(machine):
        words += ["--platform", name]
    fitting = [str(w) for w in sorted(wheels.glob("*.whl")) if fits(w.name, abi)]
    if not any("/pihub-" in name for name in fitting):
        raise PackageError(f"no wheel of pihub for {abi} in {wheels}: run `make wheels` first")
    done = subprocess.run([*words, *fitting], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PackageError(f"pip failed: {done.stderr[-2000:]}")
    shutil.rmtree(to / "bin", ignore_errors=True)
    return to


def fits(name: str, abi: str) -> bool:
    interpreter, tag = name.removesuffix(".whl").split("-")[-3:-1]
    return interpreter == abi or tag in ("abi3", "none")


def merge(source: Path, into: Path) -> None:
    """Adds the files of one Python to those of another; those of both must be the same."""
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        if any(path.match(pattern) for pattern in UNUSED) or LEFT_OUT & set(path.parts):
            continue
        there = into / path.relative_to(source)
        data = path.read_bytes()
        if path.parent.suffix == ".dist-info" and path.name in ("WHEEL", "METADATA"):
            # the long description ends here; tags differ by version, nobody reads them
            data = data.partition(b"\n\n")[0] + b"\n" if path.name == "METADATA" else b""
            if not data:
                continue
        if there.exists() and there.read_bytes() != data:
            raise PackageError(f"{path.relative_to(source)} differs between the Pythons")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(data)


def lay_out(root: Path) -> None:
    """All that is not site-packages."""
    (root / HOME / "bin").mkdir()
    (root / HOME / "bin" / "python3").symlink_to("/usr/bin/python3")
    (root / HOME / "lib" / "python3.13").symlink_to("python3.11")
    (root / HOME / "pyvenv.cfg").write_text(
        "home = /usr/bin\ninclude-system-site-packages = false\n"
    )
    (root / "usr/bin").mkdir()
    (root / "usr/bin/pihub").write_text(
        f"#!/{HOME}/bin/python3 -I\nfrom pihub.cli.main import main\n\nraise SystemExit(main())\n"
    )
    (root / "usr/bin/pihub").chmod(0o755)
    shutil.copy(ROOT / "deploy" / "bundle" / "limits.sh", root / HOME / "limits.sh")
    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    shutil.copy(HERE / "pihub.service", units / "pihub.service")
    (root / "etc/pihub").mkdir(parents=True)
    shutil.copy(HERE / "environment", root / "etc/pihub/environment")
    documents = root / "usr/share/doc/pihub"
    documents.mkdir(parents=True)
    shutil.copy(ROOT / "LICENSE", documents / "copyright")
    shutil.copy(ROOT / "deploy" / "pihub.toml.example", documents / "pihub.toml.example")


if __name__ == "__main__":
    raise SystemExit(main())
