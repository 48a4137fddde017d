"""The bounds that the package's service sets on the smallest boards (deploy/bundle/limits.sh)."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import pytest

from tests.system.hub import HubProcess, Upstreams

LEAST_MB = 192
"""LimitDATA on a board of 512 MB."""
LIMITS = Path(__file__).parents[2] / "deploy" / "bundle" / "limits.sh"


@pytest.mark.parametrize("engine", ["meinheld", "gthread"])
def test_all_processes_start_and_serve_within_the_least_limit(
    engine: str, tmp_path: Path, upstreams: Upstreams
) -> None:
    assert f"data={LEAST_MB}\n" in LIMITS.read_text()
    with HubProcess(tmp_path, upstreams, engine=engine, data_mb=LEAST_MB) as hub:
        for n in range(20):
            body = {"model": "assistant", "messages": [{"role": "user", "content": f"{n}"}]}
            assert hub.post("/v1/chat/completions", body).status == 200
        assert hub.admin("GET", "/workers").status == 200  # the control process is there
        assert hub.process is not None
        used = [data_kb(child.pid) for child in psutil.Process(hub.process.pid).children()]
        assert "ended with status" not in hub.log, hub.log
        assert "new thread" not in hub.log
    assert len(used) >= 3  # two workers and the control process
    assert max(used) < LEAST_MB * 1024 * 3 // 4


def data_kb(pid: int) -> int:
    """What counts against RLIMIT_DATA."""
    found = re.search(r"^VmData:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found is not None
    return int(found[1])
