"""A control plane of its own, served on a unix socket as in the control process."""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
from functools import partial
from pathlib import Path
from typing import Any

from pihub.controlplane import serve
from pihub.dashboard.pages import pages
from pihub.dashboard.sources import Sources
from pihub.http.control.service import run_control
from pihub.ops.configuring import ConfigDesk
from pihub.ops.upstreams import UpstreamDesk
from pihub.settings.loaded import Loaded
from pihub.settings.prices import settings_prices
from pihub.settings.schema import Server, Settings, Store, Upstream
from pihub.shared.access import Access
from pihub.shared.health import HealthBoard, upstream_rows
from pihub.shared.state import Plan, SharedState
from pihub.webhooks.desk import Desk


class Control:
    """A running control plane and a client of it."""

    def __init__(
        self, folder: Path, webhooks: Desk | None = None, *, screens: bool = False
    ) -> None:
        """`screens`: with every page of the menu."""
        self.folder = folder
        self.settings = Settings(
            server=Server(public_url="https://hub.example:8443"),
            store=Store(url=f"sqlite://{folder}/pihub.db", flush=0.05),
            upstreams={"ollama": Upstream(kind="ollama", url="http://127.0.0.1:11434")},
        )
        self.state = SharedState.create(Plan(1, 1 << 22))
        self.access = Access(self.state.keys, self.state.limits)
        self.path = str(folder / "control.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(16)
        self.stop = threading.Event()
        health = HealthBoard(self.state, upstream_rows(self.settings.upstreams))
        self.loaded = Loaded(self.settings, {}, (), {})
        upstreams = UpstreamDesk(self.loaded, health)
        config = ConfigDesk(self.loaded, lambda: None, folder / "pihub.toml")
        self.thread = threading.Thread(
            target=run_control,
            args=(
                self.settings, self.state, 0, health, upstreams, config,
                self.listener, self.stop, serve,
            ),
            kwargs={
                "pages": partial(
                    pages, stop=self.stop, sources=self._sources if screens else None
                ),
                "webhooks": webhooks,
            },
        )  # fmt: skip
        self.thread.start()

    def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """(status, lower-case headers, decoded JSON)."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(10)
        connection.sock.connect(self.path)
        data = json.dumps(body).encode() if isinstance(body, dict | list) else body
        connection.request(
            method, path, data, {name.replace("_", "-"): v for name, v in headers.items()}
        )
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        self.cookies = [v for name, v in answer.getheaders() if name.lower() == "set-cookie"]
        kind = found.get("content-type", "")
        return answer.status, found, json.loads(content) if content and "json" in kind else content

    def _sources(self, services: Any) -> Sources:
        return Sources(services, self.loaded, settings_prices(self.settings), self.state)

    def finish(self) -> None:
        self.stop.set()
        self.thread.join(15)
        assert not self.thread.is_alive()
        self.listener.close()
        for fd in self.state.eventfds:
            os.close(fd)
