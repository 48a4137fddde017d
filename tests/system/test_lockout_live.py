"""Five wrong passwords lock a source out, in every worker and beyond the control process."""

from __future__ import annotations

import http.client
import os
import signal
import time
from pathlib import Path
from urllib.parse import urlencode

from tests.system.hub import HubProcess, Upstreams


def login(hub: HubProcess, source: str, password: str = "wrong") -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection(
        "127.0.0.1", hub.port, timeout=20, source_address=(source, 0)
    )
    fields = {"content-type": "application/x-www-form-urlencoded"}
    body = urlencode({"user": "ann", "password": password, "code": ""})
    connection.request("POST", "/dashboard/login", body, fields)
    answer = connection.getresponse()
    found = answer.status, answer.getheader("retry-after"), answer.read()
    connection.close()
    return found


def control_pid(hub: HubProcess) -> int:
    found = hub.admin("GET", "/status").json["processes"]
    return int(next(one["pid"] for one in found if one["role"] == "control"))


def test_a_lock_holds_in_every_worker_and_beyond_a_restart(
    upstreams: Upstreams, tmp_path: Path
) -> None:
    with HubProcess(tmp_path, upstreams, workers=2) as hub:
        body = {"subject": "ann", "role": "owner", "password": "a long sentence of words"}
        first = hub.admin("POST", "/users", body)
        assert first.status in (200, 201), first.text
        assert [login(hub, "127.0.0.9")[0] for _ in range(5)] == [401] * 5
        status, wait, _ = login(hub, "127.0.0.9")
        assert (status, 0 < int(wait or 0) <= 900) == (429, True)
        assert {login(hub, "127.0.0.9")[0] for _ in range(6)} == {429}, "whichever worker"
        pid = control_pid(hub)
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 20
        while True:
            try:
                if control_pid(hub) != pid:
                    break
            except (OSError, KeyError, ValueError):
                pass
            assert time.monotonic() < end, hub.log
            time.sleep(0.1)
        assert login(hub, "127.0.0.9")[0] == 429, "the counters lie in the arena"
        assert login(hub, "127.0.0.8")[0] in (401, 429), "another source is judged by itself"
