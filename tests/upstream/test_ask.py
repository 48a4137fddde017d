"""A question to a configured server that turns out to be hostile."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pihub.ops.local_models import Ollama
from pihub.upstream import ask


class Hostile(BaseHTTPRequestHandler):
    """Answers by its path; remembers what was asked."""

    protocol_version = "HTTP/1.0"
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        kind, _, rest = self.path.strip("/").partition("/")
        if kind == "redirect":
            self.send_response(int(rest))
            self.send_header("Location", f"http://{self.headers['host']}/api/tags")
            self.end_headers()
        elif kind == "garbage":
            self.wfile.write(b"what is this?\r\n\r\n")
        elif kind == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
        else:
            self.send_response(200)
            self.end_headers()
            getattr(self, f"_{kind}", self._plain)()

    do_POST = do_GET  # noqa: N815 - the name that the server looks for

    def _plain(self) -> None:
        self.wfile.write(b'{"models": []}')

    def _deep(self) -> None:
        self.wfile.write(b"[" * 200_000)

    def _large(self) -> None:
        try:
            for _ in range(1000):
                self.wfile.write(b" " * 65536)
        except OSError:
            self.asked.append("gone")

    def _drip(self) -> None:
        try:
            for _ in range(100):
                self.wfile.write(b" ")
                time.sleep(0.05)
        except OSError:
            self.asked.append("gone")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def hostile() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    kind = type("Kind", (Hostile,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_it_asks_and_posts(hostile: tuple[str, list[str]]) -> None:
    url, asked = hostile
    assert ask.ask_json(url + "/api/tags", timeout=5) == {"models": []}
    assert ask.ask_json(url + "/api/ps", {"a": 1}, timeout=5) == {"models": []}
    assert asked == ["/api/tags", "/api/ps"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(hostile: tuple[str, list[str]], status: int) -> None:
    url, asked = hostile
    for body in (None, {}):
        with pytest.raises(OSError, match=str(status)):
            ask.ask_json(f"{url}/redirect/{status}", body, timeout=5)
    with pytest.raises(OSError, match=str(status)):
        Ollama(f"{url}/redirect/{status}#").get("")
    assert set(asked) == {f"/redirect/{status}"}


@pytest.mark.parametrize("kind", ["garbage", "cut", "deep", "large"])
def test_what_is_no_answer_is_a_value_error(hostile: tuple[str, list[str]], kind: str) -> None:
    url, _ = hostile
    with pytest.raises(ValueError, match=r"."):
        ask.ask_json(f"{url}/{kind}", timeout=5)


def test_an_answer_has_a_time(hostile: tuple[str, list[str]]) -> None:
    url, _ = hostile
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        ask.ask_json(f"{url}/drip", timeout=0.5)
    assert time.monotonic() - began < 4


def test_only_http_and_no_proxy(
    hostile: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, asked = hostile
    (tmp_path / "x.json").write_text("{}")
    for other in (f"file://{tmp_path}/x.json", "data:,1", "ftp://127.0.0.1/x"):
        with pytest.raises(OSError, match="unknown url type"):
            ask.ask_json(other, timeout=1)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert ask.ask_json(url + "/api/tags", timeout=5) == {"models": []}
    assert asked == ["/api/tags"]


def test_no_authorities_are_read_for_plain_http(
    hostile: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch of the local models asks every few seconds."""
    url, _ = hostile
    made: list[ssl.Purpose] = []

    def read(_: ssl.SSLContext, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        made.append(purpose)

    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", read)
    ask.ask_json(url + "/api/tags", timeout=5)
    assert not made
    with pytest.raises(OSError, match="SSL"):
        ask.ask_json(url.replace("http:", "https:") + "/api/tags", timeout=5)
    assert made, "https does read them"
