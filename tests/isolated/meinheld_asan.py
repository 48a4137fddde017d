"""Run the ported server's tests on a build with AddressSanitizer.

    python tests/isolated/meinheld_asan.py

Heap only: greenlets copy their stacks to the heap and back, which the sanitizer takes for
damage. The build has assertions on and free lists off, so that every object's end is seen.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "meinheld" / "asan-site"
TESTS = ("corpus", "answers", "streams", "life", "direct")
# Patience and memory are measured on the release build; the soak runs on its own below.
LEFT_OUT = "not soak and not dribbles and not idle_connections and not stalls and not leave_do"


def runtime_of(name: str) -> str:
    """Where the compiler keeps this library, "" if it has none."""
    command = [*os.environ.get("CC", "gcc").split(), f"-print-file-name={name}"]
    try:
        path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return path if os.path.isabs(path) else ""


def environment() -> dict[str, str]:
    """What the application's process needs; builds the wheel if it is not there."""
    out = SITE.with_name("asan")
    build = [sys.executable, str(ROOT / "deploy" / "meinheld" / "build.py")]
    done = subprocess.run(
        [*build, "--mode", "asan", "--out", str(out)], capture_output=True, text=True, check=True
    )
    with zipfile.ZipFile(done.stdout.strip()) as wheel:
        wheel.extractall(SITE)
    return {
        # greenlet throws C++ exceptions: the sanitizer looks their functions up at start.
        "LD_PRELOAD": f"{runtime_of('libasan.so')} {runtime_of('libstdc++.so.6')}",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(SITE),
        "ASAN_OPTIONS": "detect_leaks=0:replace_intrin=0:halt_on_error=1:abort_on_error=1"
        ":quarantine_size_mb=64",
    }


SOAK = """
import json, sys
from tests.isolated.meinheld_soak import soak
print(soak(int(sys.argv[1]), 1000, 7, json.loads(sys.argv[2])))
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=10_000, help="length of the soak")
    args = parser.parse_args()
    if not runtime_of("libasan.so"):
        print("the compiler has no AddressSanitizer", file=sys.stderr)
        return 2
    env = environment()
    tests = [str(ROOT / "tests" / "server" / f"test_meinheld_{name}.py") for name in TESTS]
    for command in (
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", LEFT_OUT],
        [sys.executable, "-c", SOAK, str(args.requests), json.dumps(env)],
    ):
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "MEINHELD_APP_ENV": json.dumps(env)}, check=False
        )
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
