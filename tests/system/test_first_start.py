"""Before there is an admin the hub is for its own machine; whoever is locked out gets in there."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from tests.system.hub import HubProcess, Upstreams, free_port

ELSEWHERE = "127.0.0.3"
"""Reached by whoever listens on all addresses, and by nobody who listens on 127.0.0.1."""
FIRST, SECOND = "a long sentence of words", "another sentence of words"


def reached(port: int, host: str) -> bool:
    try:
        socket.create_connection((host, port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


def admin(hub: HubProcess, *words: str, password: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pihub", "admin", *words, "--password-stdin",
         "--config", str(hub.config)],
        input=f"{password}\n", capture_output=True, text=True, timeout=60,
        env={**os.environ, **hub.env},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def login(hub: HubProcess, password: str, code: str = "") -> int:
    form = f"user=ann&password={quote(password)}&code={code}".encode()
    kind = "application/x-www-form-urlencoded"
    return hub.request("POST", "/dashboard/login", form, content_type=kind).status


def test_without_an_admin_it_listens_on_this_machine_only(
    engine: str, upstreams: Upstreams, tmp_path: Path
) -> None:
    port = free_port()
    env = {"PIHUB_SERVER__LISTEN": f"0.0.0.0:{port}"}
    hub = HubProcess(tmp_path, upstreams, engine=engine, workers=1, env=env, port=port)
    with hub:
        assert not reached(port, ELSEWHERE)
        assert hub.post("/v1/chat/completions", {"model": "local", "messages": []}).status == 400
        told = admin(hub, "create", "ann", password=FIRST)
        assert "start the hub again" in told
        hub.stop()
        hub.start()
        assert reached(port, ELSEWHERE)


def test_who_is_locked_out_gets_in_by_the_machine(upstreams: Upstreams, tmp_path: Path) -> None:
    """A forgotten password, a lost telephone."""
    with HubProcess(tmp_path, upstreams, workers=1) as hub:
        admin(hub, "create", "ann", password=FIRST)
        assert login(hub, FIRST) == 303
        from pihub.security.opening import open_control
        from pihub.settings.load import load

        control = open_control(load(hub.config, {}).settings)
        control.accounts.enrol(control.accounts.named("ann").id, "hub")
        control.close()
        assert login(hub, FIRST) == 401, "the code is missing"
        admin(hub, "reset-password", "ann", password=SECOND)
        assert login(hub, SECOND) == 401, "still missing"
        admin(hub, "reset-password", "ann", "--without-totp", password=SECOND)
        assert login(hub, FIRST) == 401
        assert login(hub, SECOND) == 303
        row = next(
            one for one in hub.admin("GET", "/audit").json["items"]
            if one["action"] == "admin reset-password"
        )  # fmt: skip
        assert row["actor"].startswith("local:")
        assert SECOND not in str(row)
