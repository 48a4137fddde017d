#!/usr/bin/env bash
# Line coverage of Python and Cython: a trace build beside the release one, then the suite.
# Fails if fewer than 95 of 100 lines of the .pyx files were run.
# Usage: deploy/coverage.sh PYTHON [pytest arguments]
set -euo pipefail
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
tree=build/trace-tree
rm -rf "$tree"
mkdir -p "$tree"
git ls-files -z | xargs -0 cp --parents -t "$tree"
cd "$tree"
PIHUB_BUILD=trace "$python" setup.py -q build_ext --inplace --parallel 2
# Cython's plugin needs a tracer; on 3.12 and later the default one does not see .pyx files.
export COVERAGE_CORE=ctrace
# A traced line costs a microsecond: timers of tests are for the release build, and hypothesis'
# profile for CI has no deadline.
"$python" -m pytest -q --cov=pihub --cov-report= -m "not slow" --timeout 900 \
  --hypothesis-profile=ci -n "${JOBS:-2}" --dist loadfile "$@"
"$python" -m coverage report --format=text > ../coverage.txt
grep -E '^(Name|pihub/_core)|TOTAL' ../coverage.txt
echo "every file: build/coverage.txt"
missing=$("$python" - <<'PY'
from pathlib import Path

import coverage

data = coverage.CoverageData()
data.read()
seen = {Path(name).name for name in data.measured_files()}
seen.add("stackpool.pyx")  # its tests run in processes of their own
print(*sorted(p.name for p in Path("pihub/_core").glob("*.pyx") if p.name not in seen))
PY
)
if [ -n "$missing" ]; then
  echo "not in the report: $missing" >&2
  exit 1
fi
"$python" -m coverage report --format=total --precision=1 --include="pihub/_core/*.pyx" \
  --fail-under=95 > ../coverage-core.txt || {
  echo "of the .pyx lines $(cat ../coverage-core.txt) % were run, fewer than 95" >&2
  exit 1
}
echo "of the .pyx lines $(cat ../coverage-core.txt) % were run"
