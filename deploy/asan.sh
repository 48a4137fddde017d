#!/usr/bin/env bash
# The core under AddressSanitizer and UBSan: the C programs of tests/race, then an asan build beside
# the release one and its tests. Leaks are not looked for: CPython keeps what it has to its end.
# Usage: deploy/asan.sh PYTHON [pytest arguments]
set -euo pipefail
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
[ $# -gt 0 ] || set -- tests/core tests/race
library=$(${CC:-cc} -print-file-name=libasan.so)
[ -e "$library" ] || { echo "the compiler has no AddressSanitizer (Debian: libasan, with gcc)" >&2; exit 1; }
tree=build/asan-tree
rm -rf "$tree"
mkdir -p "$tree"
git ls-files -z | xargs -0 cp --parents -t "$tree"
cd "$tree"
c=(tests/race/test_crash.py tests/race/test_points.py)  # they build what they run
"$python" -m pytest -q -p no:cacheprovider "${c[@]}" -k sanitizers
PIHUB_BUILD=asan "$python" setup.py -q build_ext --inplace --parallel 2
# Preloaded, since python itself is not built with it. Its malloc shows what pymalloc would hide.
LD_PRELOAD=$library PYTHONMALLOC=malloc PIHUB_TEST_SLOWNESS=5 \
  ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1 \
  UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
  "$python" -m pytest -q -p no:cacheprovider -m "not slow" --timeout 900 \
  --hypothesis-profile=ci -n "${JOBS:-2}" --dist loadfile "${c[@]/#/--ignore=}" "$@"
