"""Memory does not grow with the number of requests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system.hub import HubProcess, Upstreams

REQUESTS = 1_000_000
WARM = 300_000
"""By then every table has its size, and what a worker shares with its parent is its own."""
SCRIPT = """
local n = 0
local function body(text, temperature)
  return '{"model": "local", "temperature": ' .. temperature ..
    ', "messages": [{"role": "user", "content": "' .. text .. '"}]}'
end
request = function()
  n = n + 1
  if n %% 50 == 0 then
    return wrk.format("POST", nil, nil, body("question " .. n .. os.time(), 1))
  end
  return wrk.format("POST", nil, nil, body("asked " .. n %% 7, 0))
end
wrk.headers["authorization"] = "Bearer %s"
wrk.headers["content-type"] = "application/json"
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_memory_is_flat_over_a_million_requests(tmp_path: Path, upstreams: Upstreams) -> None:
    if shutil.which("wrk") is None:
        assert "CI" not in os.environ, "wrk is missing"
        pytest.skip("no load without wrk: apt-get install wrk")
    script = tmp_path / "mixed.lua"
    env = {"PIHUB_LIMITS__REQUESTS_PER_MINUTE": "10000000"}
    with HubProcess(tmp_path, upstreams, workers=1, env=env) as hub:
        script.write_text(SCRIPT % hub.key)
        told = hub.admin("GET", "/status").json["processes"]
        pids = [one["pid"] for one in told if one["role"] in ("worker", "control")]
        for pid in pids:  # what is measured needs no haste, and tests beside this one do
            os.setpriority(os.PRIO_PROCESS, pid, 10)
        load(hub, script, WARM)
        before = {pid: anonymous_kb(pid) for pid in pids}
        load(hub, script, WARM + REQUESTS)
        assert " restart in " not in hub.log, hub.log
        grown = {pid: anonymous_kb(pid) - before[pid] for pid in pids}
    assert len(grown) == 2  # the worker and the control process
    assert max(grown.values()) < 2048, grown  # two bytes a request


def load(hub: HubProcess, script: Path, until: int) -> None:
    """Mixed requests, most of them hits, until the hub has counted so many."""
    url = hub.url + "/v1/chat/completions"
    words = ["nice", "-n", "10", "wrk", "-t1", "-c16", "-d5s", "-s", str(script), url]
    while counted(hub) < until:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert "Non-2xx" not in done.stdout, done.stdout


def counted(hub: HubProcess) -> int:
    found = re.findall(r"^pihub_requests_total(?:\{.*\})? (\S+)$", hub.get("/metrics").text, re.M)
    return int(sum(float(value) for value in found))


def anonymous_kb(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Anonymous:\s+(\d+) kB", text, re.M)
    assert found is not None
    return int(found[1])
