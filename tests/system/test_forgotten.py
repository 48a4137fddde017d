"""A person asks to be forgotten: what the hub kept of APIs is not answered with any more."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.hookparts import CONFIG, ENV, event, post
from tests.system.hub import HubProcess, Upstreams

API = """
[apis.crm]
prefix = "/apis/crm"
url = "http://127.0.0.1:{port}"
"""


class Contacts(http.server.BaseHTTPRequestHandler):
    """Every answer is fresh for ten minutes."""

    def do_GET(self) -> None:
        body = b'{"email": "a@b.c"}'
        self.send_response(200)
        self.send_header("cache-control", "max-age=600")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def contacts() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Contacts)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_a_kept_answer_does_not_outlive_its_person(
    upstreams: Upstreams, contacts: int, tmp_path: Path
) -> None:
    extra = CONFIG + API.format(port=contacts)
    with HubProcess(tmp_path, upstreams, extra=extra, env=ENV) as hub:

        def state() -> str:
            reply = hub.get("/apis/crm/contacts/11")
            assert reply.status == 200
            return reply.headers["x-pihub-cache"].split(";")[0]

        assert [state(), state()] == ["MISS", "HIT"]
        assert post(hub.port, [event(1, 11)])[0] == 200
        assert state() == "HIT", "another event is none of the cache's business"
        gone = event(2, 11, subscriptionType="contact.privacyDeletion")
        assert post(hub.port, [gone])[0] == 200
        assert [state(), state()] == ["MISS", "HIT"]
