"""`make wheels`: wheels of pihub and its server for every machine, and the dependencies' wheels.

    python -m arm.wheels --machine aarch64 --python 3.11 --out dist

One host interpreter builds for all: it takes the headers and build variables of the
target (`arm.pythons`) and a cross compiler. Everything is built from the sdist, so what
the sdist lacks is seen here. auditwheel reads the symbols that each extension needs and
names the oldest glibc that has them; its verdict is the tag. The dependencies are the
very files whose hashes stand in requirements.lock.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from arm import disassembly
from arm.archive import tar_gz
from arm.debian import DebianError
from arm.pythons import BINUTILS, COMPILERS, MACHINES, VERSIONS, Target, target

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
NEWEST_GLIBC = 36
"""Debian 12's glibc is 2.36: the oldest system that the hub is made for."""
LARGEST = 3_000_000
"""Bytes of a wheel of pihub, at most."""


class WheelError(Exception):
    """A wheel cannot be made; the message says why."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="arm.wheels", description=__doc__.splitlines()[0])
    parser.add_argument("--machine", action="append", choices=MACHINES)
    parser.add_argument("--python", action="append", choices=VERSIONS)
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "wheels")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "wheels")
    parser.add_argument("--no-dependencies", action="store_true")
    args = parser.parse_args(argv)
    try:
        source = unpack_sdist(args.work)
        for machine in args.machine or MACHINES:
            for version in args.python or VERSIONS:
                folder = args.out / machine
                made = build(source, target(version, machine, args.work), folder, args.work)
                if not args.no_dependencies:
                    download(version, machine, folder)
                for wheel in made:
                    print(f"{wheel.stat().st_size:>9,} {wheel.relative_to(args.out)}", flush=True)
    except (WheelError, DebianError) as error:
        print(f"wheels: {error}", file=sys.stderr)
        return 1
    return 0


def epoch() -> str:
    """Seconds since 1970 that stand in every archive: the last commit's time."""
    asked = subprocess.run(
        ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return os.environ.get("SOURCE_DATE_EPOCH") or asked.stdout.strip() or "1577836800"


def unpack_sdist(work: Path) -> Path:
    """The source distribution, made and unpacked: what a stranger would build from."""
    shutil.rmtree(work / "sdist", ignore_errors=True)
    (work / "sdist").mkdir(parents=True)
    run([sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir",
         str(work / "sdist"), str(ROOT)])  # fmt: skip
    [packed] = (work / "sdist").glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(work / "sdist", filter="data")
    [tree] = [path for path in (work / "sdist").iterdir() if path.is_dir()]
    packed.write_bytes(tar_gz(tree, tree.name, int(epoch())))  # the same bytes each time
    return tree


def build(source: Path, to: Target, out: Path, work: Path) -> list[Path]:
    """The wheels of pihub and of its server for one target, tagged and checked, in `out`."""
    if shutil.which(COMPILERS[to.machine]) is None:
        raise WheelError(f"{COMPILERS[to.machine]} is missing: apt install gcc-aarch64-linux-gnu")
    raw = work / "raw" / f"{to.machine}-{to.version}"
    shutil.rmtree(raw, ignore_errors=True)
    raw.mkdir(parents=True)
    environment = {**os.environ, **to.environment(), "SOURCE_DATE_EPOCH": epoch(),
                   "PIHUB_SYMBOLS": "1"}  # fmt: skip
    environment.pop("CCACHE_BASEDIR", None)
    shutil.rmtree(source / "build", ignore_errors=True)  # objects of another target
    run([sys.executable, "setup.py", "-q", "build_ext", "--parallel", str(os.cpu_count() or 1),
         "bdist_wheel", "--dist-dir", str(raw.resolve())], source, environment)  # fmt: skip
    run([sys.executable, str(ROOT / "deploy" / "meinheld" / "build.py"), "--out", str(raw),
         "--cache", str(ROOT / "build" / "meinheld")], ROOT, environment)  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for name in ("pihub", "meinheld"):
        [wheel] = raw.glob(f"{name}-*.whl")
        if f"-{to.tag}-{to.tag}-linux_{to.machine}" not in wheel.name:
            raise WheelError(f"{wheel.name} is not tagged for CPython {to.version}, {to.machine}")
        for old in out.glob(f"{name}-*-{to.tag}-*.whl"):
            old.unlink()
        disassembly.check_wheel(wheel, to.machine)
        made.append(repair(wheel, out, environment, strip_folder(to.machine, work)))
    if made[0].stat().st_size > LARGEST:
        raise WheelError(f"{made[0].name} has {made[0].stat().st_size} bytes, over {LARGEST}")
    return made


def strip_folder(machine: str, work: Path) -> Path:
    """A folder in which `strip` is the target's: auditwheel calls it by that name."""
    folder = (work / f"bin-{machine}").resolve()
    folder.mkdir(exist_ok=True)
    tool = folder / "strip"
    if not tool.is_symlink():
        tool.symlink_to(str(shutil.which(f"{BINUTILS[machine]}strip")))
    return folder


def repair(wheel: Path, out: Path, environment: Mapping[str, str], tools: Path) -> Path:
    """Stripped, with auditwheel's manylinux tag; nothing may have to be grafted in."""
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), environment["PATH"]])
    plain = {k: v for k, v in environment.items() if not k.startswith(("_PYTHON", "PYTHONPATH"))}
    before = set(out.glob("*.whl"))
    run([sys.executable, "-m", "auditwheel", "repair", "--strip", "--wheel-dir", str(out),
         str(wheel)], ROOT, {**plain, "PATH": path})  # fmt: skip
    [made] = set(out.glob("*.whl")) - before
    if not any(f"manylinux_2_{minor}_" in made.name for minor in range(17, NEWEST_GLIBC + 1)):
        raise WheelError(f"{made.name} needs a newer glibc than 2.{NEWEST_GLIBC}")
    return made


def platforms(machine: str) -> list[str]:
    """Every tag that a machine with that glibc takes; pip does not expand them itself."""
    levels = [f"manylinux_2_{minor}_{machine}" for minor in range(NEWEST_GLIBC, 4, -1)]
    return [*levels, f"manylinux2014_{machine}", f"linux_{machine}"]


def download(version: str, machine: str, out: Path, lock: Path = LOCK) -> None:
    """The locked files of that target: a hash that is not in the lock is refused."""
    abi = "cp" + version.replace(".", "")
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
             "--require-hashes", "--only-binary=:all:", "--no-deps", "--dest", str(out),
             "--implementation", "cp", "--python-version", version,
             "--abi", abi, "--abi", "abi3", "--abi", "none"]  # fmt: skip
    for name in platforms(machine):
        words += ["--platform", name]
    run([*words, "-r", str(lock)], ROOT)


def run(words: Sequence[str], cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        words, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise WheelError(f"`{' '.join(words[1:4])}` failed:\n{done.stdout[-4000:]}")


if __name__ == "__main__":
    raise SystemExit(main())
