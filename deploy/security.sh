#!/bin/sh
# Static and dynamic checks of the control plane, on loopback, in about two minutes:
# bandit over the code, schemathesis against the OpenAPI document of a hub of its own,
# pip-audit over the locked requirements (needs the network).
set -eu
python=$(realpath "$1")
tools=.venv-security
here=$(pwd)
[ -x $tools/bin/schemathesis ] || {
    "$python" -m venv $tools
    $tools/bin/python -m pip install --quiet --disable-pip-version-check bandit schemathesis pip-audit
}
$tools/bin/bandit -q -r pihub -ll
folder=$(mktemp -d)
cd "$folder"
PIHUB_SERVER__LISTEN=127.0.0.1:0 PIHUB_SERVER__WORKERS=1 PIHUB_CACHE__SIZE=4MB \
    PYTHONPATH="$here" "$python" -m pihub serve > out.log 2> err.log &
hub=$!
trap 'kill $hub; wait $hub 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 120); do
    grep -q "is ready" out.log && break
    sleep 0.5
done
url=$(sed -n 's/^  Dashboard *\(http.*\)\/dashboard$/\1/p' out.log)
all=$(PYTHONPATH="$here" "$python" -c '
import json
from pihub.security.permissions import PERMISSIONS
print(json.dumps({"name": "checks", "scope": {"admin": sorted(PERMISSIONS)}}))')
key=$(curl -sf --unix-socket .pihub/run/control.sock http://localhost/admin/api/v1/keys -d "$all" |
    "$python" -c 'import json, sys; print(json.load(sys.stdin)["token"])')
# Every operation, with what fits the document and what does not: no 5xx, no answer that
# the document does not describe.
"$here/$tools/bin/schemathesis" run "$url/admin/api/openapi.json" \
    -H "Authorization: Bearer $key" --max-time 60 -n 20 --phases coverage,fuzzing \
    -c not_a_server_error,response_schema_conformance,content_type_conformance
if grep -q Traceback err.log; then
    cat err.log
    exit 1
fi
cd "$here"
$tools/bin/pip-audit -r requirements.lock --require-hashes --disable-pip
