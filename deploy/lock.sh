#!/usr/bin/env bash
# Pins every dependency by hash, for all supported Pythons at once.
set -euo pipefail
python=$1
"$python" -m pip install --quiet uv
compile() { "$python" -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-strip-extras "$@"; }
compile pyproject.toml -o requirements.lock
compile pyproject.toml --extra dev --extra test -o requirements-dev.lock
echo 'setuptools>=77
wheel
cython>=3.2,<4
greenlet>=3' | compile - -o requirements-build.lock
# Travels in the offline archive: Debian's Python has none.
echo 'pip>=25' | compile --no-annotate - -o deploy/pip.lock
