"""`make bundle`: one archive a machine that installs without network (deploy/bundle).

    python -m arm.bundle --machine aarch64

Takes the wheels that `arm.wheels` left in dist/wheels. pip itself comes along as a
wheel that is run and not installed: Debian's Python has none.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from arm.archive import sha256, sums, tar_gz
from arm.pythons import MACHINES
from arm.wheels import ROOT, WheelError, download, epoch
from pihub import __version__


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="arm.bundle", description=__doc__.splitlines()[0])
    parser.add_argument("--machine", action="append", choices=MACHINES)
    parser.add_argument("--wheels", type=Path, default=ROOT / "dist" / "wheels")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    args = parser.parse_args(argv)
    for machine in args.machine or MACHINES:
        try:
            made = bundle(args.wheels / machine, machine, args.out)
        except WheelError as error:
            print(f"bundle: {error}", file=sys.stderr)
            return 1
        print(f"{made.stat().st_size:>9,} {made.name}")
    return 0


def bundle(wheels: Path, machine: str, out: Path) -> Path:
    """The archive. Raises WheelError."""
    files = sorted(wheels.glob("*.whl"))
    if not any(file.name.startswith("pihub-") for file in files):
        raise WheelError(f"no wheels in {wheels}: run `make wheels` first")
    name = f"pihub-{__version__}-linux-{machine}"
    folder = ROOT / "build" / "bundle" / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "wheels").mkdir(parents=True)
    for file in files:
        shutil.copyfile(file, folder / "wheels" / file.name)
    for path in (ROOT / "deploy" / "bundle").iterdir():
        shutil.copy(path, folder / path.name)
    for path in (ROOT / "LICENSE", ROOT / "deploy" / "debian" / "pihub.service"):
        shutil.copyfile(path, folder / path.name)
    download("3.11", machine, folder / "tools", ROOT / "deploy" / "pip.lock")
    (folder / "MACHINE").write_text(machine + "\n")
    (folder / "requirements.txt").write_text(requirements(files))
    (folder / "SHA256SUMS").write_text(sums(folder))
    made = out / f"{name}.tar.gz"
    made.write_bytes(tar_gz(folder, name, int(epoch())))
    return made


def requirements(files: Sequence[Path]) -> str:
    """Every distribution among the wheels, by version and the hashes of its files."""
    hashes: dict[str, list[str]] = defaultdict(list)
    for file in files:
        name, version = file.name.split("-")[:2]
        hashes[f"{name.replace('_', '-').lower()}=={version}"].append(sha256(file))
    return "".join(
        f"{pinned} \\\n    " + " \\\n    ".join(f"--hash=sha256:{one}" for one in found) + "\n"
        for pinned, found in sorted(hashes.items())
    )


if __name__ == "__main__":
    raise SystemExit(main())
