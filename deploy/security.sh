#!/bin/sh
# The security suites, with everything they need: deploy/security.sh PYTHON [--short]
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")  # not resolved: it is an environment
shift
cd "$(dirname "$0")/.."
tools=.venv-security
if ! command -v slowhttptest >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slowhttptest
fi
[ -x $tools/bin/wapiti ] || {
    "$python" -m venv $tools
    $tools/bin/python -m pip install --quiet --disable-pip-version-check \
        -r deploy/security-tools.txt
}
# Coverage-guided fuzzing where its wheel fits this Python.
[ -e $tools/.atheris ] || {
    $tools/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: \
        atheris || echo "atheris has no wheel for this Python: parsers are fuzzed by mutation"
    touch $tools/.atheris
}
exec "$python" -m tests.security_suite $tools "$@"
