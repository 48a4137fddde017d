"""Build the ported meinheld wheel that the data-plane workers run on.

    python deploy/meinheld/build.py --out wheelhouse --install

Takes the published source distribution (pinned by hash), applies the substitutions
of `substitutions.py` and adds the C files of `src/`, then builds a wheel of the local
version `1.0.2+pihub.1` for the interpreter that runs this script. A substitution that
does not match exactly as often as it says stops the build: a half-ported server would
be memory-unsafe.

Needs pip, setuptools (>= 70.1) and greenlet (>= 3) in the running environment, and a
C compiler. Cross-compilers set CC, CFLAGS, _PYTHON_HOST_PLATFORM and
_PYTHON_SYSCONFIGDATA_NAME as for any other extension.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import substitutions  # noqa: E402  (beside this script, no part of the hub)

NAME = "meinheld"
UPSTREAM_VERSION = "1.0.2"
VERSION = substitutions.VERSION
SDIST_SHA256 = "008c76937ac2117cc69e032dc69cea9f85fc605de9bac1417f447c41c16a56d6"
DIRECT = HERE.parents[1] / "pihub" / "_core" / "include" / "ph_direct.h"
"""What the server and the hub's core must agree upon."""
KEY_FILE = "meinheld/_pihub_build.py"

MODES = {
    "release": ["-O2", "-g0", "-fsigned-char"],
    # Assertions on, free lists off: a freed object is really freed, so that the
    # sanitizer sees each use after it. Not the stack: greenlets move theirs about.
    "asan": [
        *("-O1", "-g", "-fsigned-char", "-fsanitize=address", "-fno-omit-frame-pointer"),
        *("--param", "asan-stack=0", "-UNDEBUG", "-DPIHUB_NO_FREELISTS"),
    ],
}
HARDENING = [
    # The old code must not fall back on a guessed `int f()`: that is a crash on 64 bit.
    "-Werror=implicit-function-declaration",
    "-Werror=incompatible-pointer-types",
    "-Wno-unused-function",
]


class BuildError(Exception):
    """The wheel cannot be built; the message says what to do."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the ported meinheld wheel.")
    parser.add_argument("--out", type=Path, default=Path("wheelhouse"), help="folder for the wheel")
    parser.add_argument("--sdist", type=Path, help="a local meinheld-1.0.2.tar.gz (no download)")
    parser.add_argument(
        "--cache",
        type=Path,
        default=HERE.parents[1] / "build" / NAME,
        help="where the downloaded sdist is kept",
    )
    parser.add_argument("--mode", choices=sorted(MODES), default="release")
    parser.add_argument("--install", action="store_true", help="install it into this environment")
    parser.add_argument("--force", action="store_true", help="build even if the wheel is there")
    args = parser.parse_args(argv)
    try:
        wheel = build(args.out, args.sdist, args.cache, args.mode, force=args.force)
        if args.install:
            install(wheel)
    except BuildError as error:
        print(f"meinheld: {error}", file=sys.stderr)
        return 1
    print(wheel)
    return 0


def build(out: Path, sdist: Path | None, cache: Path, mode: str, *, force: bool = False) -> Path:
    """The wheel for this interpreter in `out`; built unless its key is already there."""
    require_tools()
    key = build_key(mode)
    out.mkdir(parents=True, exist_ok=True)
    if not force and (present := find_wheel(out, key)) is not None:
        return present
    source = sdist if sdist is not None else fetch(cache)
    verify(source)
    with tempfile.TemporaryDirectory(prefix="meinheld-") as temp:
        tree = unpack(source, Path(temp))
        port(tree, key, mode)
        wheel = compile_wheel(tree, Path(temp) / "wheel")
        for old in out.glob(wheel_pattern()):
            old.unlink()
        return Path(shutil.copy2(wheel, out / wheel.name))


def require_tools() -> None:
    for module in ("pip", "setuptools", "greenlet"):
        if importlib.util.find_spec(module) is None:
            raise BuildError(f"needs {module}: run `{sys.executable} -m pip install {module}`")
    greenlet = importlib.metadata.version("greenlet")
    if int(greenlet.split(".")[0]) < 3:
        raise BuildError(f"needs greenlet 3 or newer, found {greenlet}")


def build_key(mode: str) -> str:
    """A digest of everything that shapes the wheel."""
    digest = hashlib.sha256(SDIST_SHA256.encode())
    files = [HERE / "build.py", HERE / "substitutions.py"]
    files += [*(HERE / "edits").glob("*.py"), *(HERE / "src").iterdir(), DIRECT]
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    for value in (
        mode,
        str(sysconfig.get_config_var("SOABI")),
        sysconfig.get_platform(),
        *(os.environ.get(name, "") for name in ("CC", "CFLAGS", "_PYTHON_HOST_PLATFORM")),
    ):
        digest.update(value.encode() + b"\0")
    return digest.hexdigest()


def wheel_pattern() -> str:
    # of the target, which is not this interpreter's in a cross build
    python = f"cp{sysconfig.get_config_var('py_version_nodot')}"
    platform = os.environ.get("_PYTHON_HOST_PLATFORM") or sysconfig.get_platform()
    tag = platform.replace("-", "_").replace(".", "_")
    return f"{NAME}-{VERSION}-{python}-*-{tag}.whl"


def find_wheel(out: Path, key: str) -> Path | None:
    for wheel in sorted(out.glob(wheel_pattern())):
        with zipfile.ZipFile(wheel) as archive:
            if key in archive.read(KEY_FILE).decode():
                return wheel
    return None


def fetch(cache: Path) -> Path:
    """The sdist in `cache`, downloaded by pip once."""
    target = cache / f"{NAME}-{UPSTREAM_VERSION}.tar.gz"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        run_pip(
            "download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation",
            "--dest", str(cache), f"{NAME}=={UPSTREAM_VERSION}",
        )  # fmt: skip
    return target


def verify(sdist: Path) -> None:
    found = hashlib.sha256(sdist.read_bytes()).hexdigest()
    if found != SDIST_SHA256:
        raise BuildError(f"{sdist} has sha256 {found}, expected {SDIST_SHA256}; remove it")


def unpack(sdist: Path, target: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(target, filter="data")
    return target / f"{NAME}-{UPSTREAM_VERSION}"


def port(tree: Path, key: str, mode: str) -> None:
    """Turn the unpacked sdist into the ported source tree."""
    try:
        substitutions.apply(tree)
    except substitutions.Mismatch as error:
        raise BuildError(str(error)) from None
    server = tree / "meinheld" / "server"
    for file in (*(HERE / "src").iterdir(), DIRECT):
        shutil.copy2(file, server / file.name)
    header = Path(importlib.import_module("greenlet").__file__ or "").with_name("greenlet.h")
    if not header.exists():
        raise BuildError(f"greenlet is installed without its C header ({header})")
    shutil.copy2(header, server / "greenlet.h")
    (tree / KEY_FILE).write_text(f'"""Which build this is."""\n\nKEY = "{key}"\nMODE = "{mode}"\n')
    flags = [*MODES[mode], *HARDENING]
    setup = tree / "setup.py"
    text = setup.read_text(encoding="utf-8")
    link = ["-fsanitize=address"] if mode == "asan" else []
    text = text.replace("PIHUB_COMPILE_ARGS", repr(flags)).replace("PIHUB_LINK_ARGS", repr(link))
    setup.write_text(text, encoding="utf-8")


def compile_wheel(tree: Path, out: Path) -> Path:
    run_pip(
        "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--no-cache-dir",
        "--wheel-dir", str(out), str(tree),
    )  # fmt: skip
    wheels = list(out.glob(f"{NAME}-{VERSION}-*.whl"))
    if len(wheels) != 1:
        raise BuildError(f"expected one wheel of version {VERSION}, got {wheels}")
    return wheels[0]


def install(wheel: Path) -> None:
    """Install `wheel` unless this very build is installed already."""
    with zipfile.ZipFile(wheel) as archive:
        wanted = archive.read(KEY_FILE)
    try:
        installed = importlib.metadata.distribution(NAME).locate_file(KEY_FILE)
        if Path(str(installed)).read_bytes() == wanted:
            return
    except (importlib.metadata.PackageNotFoundError, FileNotFoundError):
        pass
    run_pip("install", "--no-deps", "--no-index", "--force-reinstall", str(wheel))


def run_pip(*args: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *args]
    environ = {"SOURCE_DATE_EPOCH": "1577836800", **os.environ}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"`pip {args[0]}` failed:\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    raise SystemExit(main())
