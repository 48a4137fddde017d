"""Who looks into a running hub's database takes nothing away that the hub commits afterwards."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.system.hub import HubProcess, Upstreams


def looked(hub: HubProcess) -> None:
    """By a command of the hub's, and as the system's `sqlite3` does."""
    hub.pihub("audit", "verify")
    with closing(sqlite3.connect(hub.folder / "control.db")) as connection:
        assert connection.execute("SELECT count(*) FROM keys").fetchone()[0] >= 1


def test_a_key_that_is_revoked_after_a_look_stays_revoked(
    upstreams: Upstreams, tmp_path: Path
) -> None:
    """Also where everything dies at once, so that nobody has the last word on the file."""
    with HubProcess(tmp_path, upstreams, workers=1) as hub:
        looked(hub)
        made = hub.admin("POST", "/keys", {"name": "gone"}).json
        kept = hub.admin("POST", "/keys", {"name": "kept"}).json
        hub.pihub("keys", "list")
        assert hub.admin("DELETE", f"/keys/{made['id']}").status in (200, 204)
        looked(hub)
        assert hub.process is not None
        everybody = [one["pid"] for one in hub.admin("GET", "/status").json["processes"]]
        for pid in [hub.process.pid, *everybody]:
            os.kill(pid, signal.SIGKILL)
        hub.process.wait(10)
        hub.start()
        states = {row["id"]: row["state"] for row in hub.admin("GET", "/keys").json["items"]}
        assert states.get(made["id"]) == "revoked"
        assert states.get(kept["id"]) == "live"
        for token, status in ((made["token"], 401), (kept["token"], 200)):
            assert hub.get("/v1/models", authorization=f"Bearer {token}").status == status
        assert hub.pihub("audit", "verify").stdout.startswith("OK: ")
