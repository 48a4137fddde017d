"""The suite of slow clients tells of a server that they bring to a stand."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.security_suite.attacks import slowly


class One(BaseHTTPRequestHandler):
    """Served by HTTPServer: one connection at a time, however slow."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


class Patient(HTTPServer):
    def handle_error(self, *args: Any) -> None:
        """A client that went away."""


@pytest.fixture
def patient() -> Iterator[str]:
    server = Patient(("127.0.0.1", 0), One)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.socket.close()


@pytest.mark.skipif(shutil.which("slowhttptest") is None, reason="apt-get install slowhttptest")
def test_a_server_that_stands_still_is_seen(patient: str) -> None:
    assert "not available in" in slowly(patient, "slow heads", 15)
    assert "too short" in slowly(patient, "slow heads", 6)
