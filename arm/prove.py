"""`make test-arm`: the archive for ARM, installed and used under emulation.

    python -m arm.prove                       everything: three cores, two Pythons
    python -m arm.prove --quick               what matters most, on one core and one Python
                                              (others with each commit)
    python -m arm.prove --part tests --cpu cortex-a53 --python 3.13    one of them alone
    python -m arm.prove --machine x86_64      2. alone, without emulation

1. Without privileges: the core's, edge's and protocols' tests and a hub that serves,
   run by the emulated Python of an unpacked Debian arm64, on the cores of Pi 3, 4 and 5.
2. In a chroot of that Debian, where the kernel lets it: `install.sh` of the archive,
   `pihub init && pihub serve`, a call and a stream by the official SDK; then the .deb.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from arm.debian import SUITES, DebianError
from arm.packaged import newer, proof
from arm.proofs import Failed, Proof, run
from arm.pythons import MACHINES
from arm.root import CPUS, QEMU, can_enter, emulate, inside, python_root
from arm.wheels import LOCK, ROOT, WheelError, platforms
from pihub import __version__

VERSIONS = ("3.11", "3.13")
"""Of bookworm and trixie, the releases of Raspberry Pi OS."""
PARTS = ("tests", "hub", "archive", "package")
"""What can be asked for alone."""
TESTS = ("tests/core", "tests/protocols", "tests/shared", "tests/domain")
QUICK = ("tests/core/test_hashing.py", "tests/core/test_cache.py", "tests/core/test_matcher.py",
         "tests/core/test_ring.py", "tests/core/test_limiter.py", "tests/core/test_edge.py",
         "tests/protocols/test_golden.py", "tests/protocols/test_streams.py")  # fmt: skip
TOOLS = ("pytest", "pluggy", "iniconfig", "packaging", "hypothesis", "sortedcontainers",
         "pytest-timeout", "pygments", "xxhash")  # fmt: skip
SDK = ("openai", "annotated-types", "anyio", "h11", "httpcore2", "httpx2", "idna", "jiter",
       "pydantic", "pydantic-core", "sniffio", "truststore", "typing-extensions",
       "typing-inspection")  # fmt: skip
"""The official SDK and all that it needs."""
LONGEST = 3 * 3600.0
"""Seconds of one proof: a hang must end, a busy machine must not fail."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="arm.prove", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--machine", choices=MACHINES, default="aarch64")
    parser.add_argument("--cpu", action="append", choices=CPUS)
    parser.add_argument("--python", action="append", choices=VERSIONS)
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--at-once", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "arm")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    args = parser.parse_args(argv)
    turn = commit() if args.quick else 0
    native = args.machine == platform.machine()
    cpus = ("native",) if native else args.cpu or ((CPUS[turn % 3],) if args.quick else CPUS)
    versions = args.python or ((VERSIONS[turn // 3 % 2],) if args.quick else VERSIONS)
    if not native and shutil.which(QEMU) is None:
        print(f"arm: {QEMU} is missing: apt install qemu-user-static", file=sys.stderr)
        return 1
    try:
        proofs = [proof for version in versions for proof in planned(version, cpus, args)]
        began = time.monotonic()
        run(proofs, args.at_once, ROOT, LONGEST)
    except (DebianError, WheelError, Failed, subprocess.CalledProcessError) as error:
        print(f"arm: {error}", file=sys.stderr)
        return 1
    print(f"arm: {len(proofs)} proofs passed in {time.monotonic() - began:.0f} s")
    return 0


def planned(version: str, cpus: Sequence[str], args: argparse.Namespace) -> list[Proof]:
    """All proofs of one Python, the longest first; says which cannot be made on this machine.

    Raises DebianError, WheelError, CalledProcessError of what all of them need.
    """
    machine, parts = args.machine, args.part or PARTS
    root = python_root(version, machine, args.work)
    proofs = []
    if machine != platform.machine() and {"tests", "hub"} & {*parts}:
        site = install(version, machine, args.dist / "wheels", args.work)
        for cpu in cpus:
            tests = partial(suite, root, site, version, cpu, args.quick)
            hub = partial(served, root, site, version, cpu)
            proofs += [
                Proof("tests", f"{version} {cpu}: tests", tests),
                Proof("hub", f"{version} {cpu}: a hub serves", hub),
            ]
    if {"archive", "package"} & {*parts}:
        if why := can_enter(root, machine):
            print(f"== {version}: in a chroot NOTHING WAS RUN: {why}", flush=True)
            if machine == platform.machine():
                raise WheelError("there is nothing else to prove")
        else:
            binds = stranger(version, machine, args.dist, args.work)
            newer(machine, args.dist, args.work)  # made once, not by two proofs at a time
            for cpu in cpus:
                use = partial(used, version, machine, cpu, binds, args.work)
                keep = partial(proof, version, machine, cpu, args.dist, args.work)
                proofs += [
                    Proof("archive", f"{version} {cpu}: install.sh, init, serve, uninstall", use),
                    Proof("package", f"{version} {cpu}: installed, upgraded, removed", keep),
                ]
    return [one for one in proofs if one.part in parts]


def commit() -> int:
    """A number of the commit, so that a run of few proofs takes others each time."""
    asked = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return int(asked.stdout.strip()[:8] or "0", 16)


def install(version: str, machine: str, wheels: Path, work: Path) -> Path:
    """What is in the archive and the test tools, installed by this machine's pip."""
    site = (work / f"site-{version}").resolve()
    shutil.rmtree(site, ignore_errors=True)
    abi = "cp" + version.replace(".", "")
    mine = [
        str(wheel)
        for wheel in sorted((wheels / machine).glob("*.whl"))
        if wheel.name.split("-")[-3] == abi or wheel.name.split("-")[-2] in ("none", "abi3")
    ]
    if not any("/pihub-" in one for one in mine):
        raise WheelError(f"no wheel of pihub for {version} in {wheels}: run `make wheels` first")
    subprocess.run([*pip(version, machine, site), "--no-index", *mine], check=True)
    add(version, machine, TOOLS, site, work)
    tests = site / "tests"
    shutil.copytree(ROOT / "tests", tests, dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", site / "pyproject.toml")
    return site


def pip(version: str, machine: str, to: Path) -> list[str]:
    """This machine's pip, installing wheels of the proved one into a folder."""
    abi = "cp" + version.replace(".", "")
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--no-deps", "--target", str(to), "--only-binary=:all:", "--implementation", "cp",
             "--python-version", version,
             "--abi", abi, "--abi", "abi3", "--abi", "none"]  # fmt: skip
    for name in platforms(machine):
        words += ["--platform", name]
    return words


def add(version: str, machine: str, names: Sequence[str], site: Path, work: Path) -> Path:
    """Adds what the development lock pins of `names`; the folder."""
    pinned = work / f"{site.name}.lock"
    pinned.write_text(locked(LOCK.with_name("requirements-dev.lock"), names))
    words = [*pip(version, machine, site), "--upgrade", "--require-hashes", "-r", str(pinned)]
    subprocess.run(words, check=True)
    return site


def locked(lock: Path, names: Sequence[str]) -> str:
    """The entries of a lock file for some distributions."""
    entries = lock.read_text().replace("\\\n", "\0").splitlines()
    found = [e.replace("\0", "\\\n") for e in entries if e.split("==")[0].lower() in names]
    return "\n".join(found) + "\n"


def suite(root: Path, site: Path, version: str, cpu: str, quick: bool) -> list[str]:
    """pytest, emulated. The tests lie beside the wheel's pihub, not beside the sources'."""
    paths = [str(site / path) for path in (QUICK if quick else TESTS)]
    skip = [] if quick else [f"--ignore={site / 'tests/protocols/test_sdks.py'}"]
    words = ["-P", "-m", "pytest", "-q", "--durations=15", "-p", "no:cacheprovider",
             "-p", "no:xdist", "--rootdir", str(site), "-c", str(site / "pyproject.toml"),
             "-o", "timeout=1800",
             "-o", "addopts=--import-mode=importlib", "--hypothesis-profile=emulated",
             "-m", "not slow and not native", *skip, *paths]  # fmt: skip
    env = {"PYTHONPATH": str(site), "HOME": "/tmp"}  # noqa: S108
    # the Pi 5's kernel has pages of 16 KiB
    return emulate(root, cpu, version, words, env=env, page=16384 if cpu == CPUS[2] else 4096)


def served(root: Path, site: Path, version: str, cpu: str) -> list[str]:
    """The emulated hub before simulators of this machine; the caller is this machine's."""
    return [sys.executable, str(ROOT / "arm" / "serve_check.py"), "--sdk", "--",
            *emulate(root, cpu, version, ["-P", "-m", "pihub", "serve"],
                     env={"PYTHONPATH": str(site), "HOME": "/tmp"})]  # fmt: skip  # noqa: S108


def stranger(version: str, machine: str, dist: Path, work: Path) -> dict[str, Path]:
    """What lies in the chroot: the unpacked archive, and the SDK of a caller beside it."""
    archive = dist / f"pihub-{__version__}-linux-{machine}.tar.gz"
    if not archive.exists():
        raise WheelError(f"{archive} is missing: run `make bundle` first")
    folder = work / f"unpacked-{version}-{machine}"
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    [top] = folder.iterdir()
    sdk = work / f"sdk-{version}-{machine}"
    if not sdk.exists():
        add(version, machine, SDK, sdk, work)
    return {"mnt/pihub": top, "mnt/arm": ROOT / "arm", "mnt/sdk": sdk}


def used(version: str, machine: str, cpu: str, binds: dict[str, Path], work: Path) -> list[str]:
    """The archive's installation, use and removal, in a fresh system of this core alone."""
    name = f"root-{cpu}"
    shutil.rmtree(work / f"root-{SUITES[version]}-{machine}" / name, ignore_errors=True)
    root = python_root(version, machine, work, name)
    return inside(root, cpu, ["sh", "/mnt/arm/in_root.sh"], binds)


if __name__ == "__main__":
    raise SystemExit(main())
