"""`make release`: everything that is published, the same bytes each time, with checksums.

    python -m arm.release              build into dist/release
    python -m arm.release --twice      build a second time and compare every byte

The source is the committed tree; times in archives are the last commit's.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from arm import bundle, wheels
from arm.archive import sha256, sums
from arm.debian import DebianError
from arm.pythons import MACHINES, VERSIONS
from arm.sbom import sbom
from arm.wheels import ROOT, WheelError


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="arm.release", description=__doc__.splitlines()[0])
    parser.add_argument("--twice", action="store_true")
    parser.add_argument("--machine", action="append", choices=MACHINES)
    parser.add_argument("--python", action="append", choices=VERSIONS)
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "release")
    args = parser.parse_args(argv)
    machines, versions = args.machine or list(MACHINES), args.python or list(VERSIONS)
    try:
        release(args.out, machines, versions, ROOT / "build" / "wheels")
        if args.twice:
            again = args.out.with_name("again")
            release(again, machines, versions, ROOT / "build" / "again")
            compare(args.out, again)
    except (WheelError, DebianError, subprocess.CalledProcessError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


def release(out: Path, machines: list[str], versions: list[str], work: Path) -> None:
    """The wheels, archives, packages, bill of materials and SHA256SUMS in `out`."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    words = [word for machine in machines for word in ("--machine", machine)]
    pythons = [word for version in versions for word in ("--python", version)]
    parts = out.with_name(f"{out.name}-wheels")
    shutil.rmtree(parts, ignore_errors=True)
    built = wheels.main([*words, *pythons, "--out", str(parts), "--work", str(work)])
    if built or bundle.main([*words, "--wheels", str(parts), "--out", str(out)]):
        raise WheelError("see above")
    if {"3.11", "3.13"} <= set(versions):
        package = [sys.executable, str(ROOT / "deploy" / "debian" / "build.py")]
        subprocess.run(
            [*package, *words, "--wheels", str(parts), "--out", str(out)], cwd=ROOT, check=True
        )
    for wheel in parts.glob("*/pihub-*.whl"):
        shutil.copyfile(wheel, out / wheel.name)
    for sdist in (work / "sdist").glob("*.tar.gz"):
        shutil.copyfile(sdist, out / sdist.name)
    (out / "pihub.cdx.json").write_text(sbom(parts.glob("*/*.whl")))
    (out / "SHA256SUMS").write_text(sums(out))
    print((out / "SHA256SUMS").read_text(), end="")


def compare(one: Path, other: Path) -> None:
    """Raises WheelError with the names of the files that differ."""
    names = sorted({path.name for folder in (one, other) for path in folder.iterdir()})
    different = [
        name
        for name in names
        if not (one / name).exists()
        or not (other / name).exists()
        or sha256(one / name) != sha256(other / name)
    ]
    if different:
        raise WheelError(f"not the same bytes twice: {', '.join(different)}")
    print(f"the same bytes twice: {len(names)} files")


if __name__ == "__main__":
    raise SystemExit(main())
