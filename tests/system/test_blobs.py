"""A model's file through the hub, as `ollama create` sends it: larger than any body may be."""

from __future__ import annotations

import hashlib
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import ollama
import pytest

from tests.system.hub import HubProcess, Upstreams

LARGE = 96 << 20
EXTRA = """
[upstreams.big]
kind = "ollama"
url = "http://127.0.0.1:{port}"

[ollama]
manage = "big"
manage_keys = [1]
"""


class Store:
    """An Ollama that takes files only: what came, by name."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        made = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self._say(200 if self.path in made.sizes else 404)

            def do_POST(self) -> None:
                digest, size = hashlib.sha256(), 0
                for piece in self._pieces():
                    digest.update(piece)
                    size += len(piece)
                fits = self.path.endswith("sha256:" + digest.hexdigest())
                if fits:
                    made.sizes[self.path] = size
                self._say(201 if fits else 400)

            def _pieces(self) -> Iterator[bytes]:
                if "chunked" not in self.headers.get("transfer-encoding", ""):
                    yield from self._read(int(self.headers.get("content-length") or 0))
                    return
                while size := int(self.rfile.readline(), 16):
                    yield from self._read(size)
                    self.rfile.readline()
                self.rfile.readline()

            def _read(self, left: int) -> Iterator[bytes]:
                while left and (piece := self.rfile.read(min(left, 65536))):
                    left -= len(piece)
                    yield piece

            def _say(self, status: int) -> None:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def managing(
    engine: str, upstreams: Upstreams, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    folder = tmp_path_factory.mktemp(f"blobs-{engine}")
    extra = EXTRA.format(port=store.server.server_port)
    with HubProcess(
        folder, upstreams, engine=engine, workers=1, extra=extra, env={"PIHUB_LIMITS__BODY": "1MB"}
    ) as hub:
        yield hub


def digest_of(file: Path) -> str:
    with file.open("rb") as opened:
        return "sha256:" + hashlib.file_digest(opened, "sha256").hexdigest()


def chunked(hub: HubProcess, file: Path) -> tuple[bytes, bytes]:
    """(head, body) of what is answered to a file without a length, as `ollama create` sends it."""
    head = (
        f"POST /api/blobs/{digest_of(file)} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {hub.key}\r\nTransfer-Encoding: chunked\r\n"
        "Connection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", hub.port), 60) as sock:
        try:
            sock.sendall(head.encode())
            with file.open("rb") as opened:
                while piece := opened.read(32 * 1024):
                    sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            sock.sendall(b"0\r\n\r\n")
        except OSError:  # it is answered before all is sent
            pass
        found = b""
        try:
            while piece := sock.recv(65536):
                found += piece
        except ConnectionResetError:
            pass
    answered, _, body = found.partition(b"\r\n\r\n")
    return answered, body


def most_memory(hub: HubProcess) -> int:
    """VmHWM of the largest process of a hub, in KiB."""
    assert hub.process is not None
    children = Path(f"/proc/{hub.process.pid}/task/{hub.process.pid}/children").read_text().split()
    return max(
        int(line.split()[1])
        for one in children
        for line in Path(f"/proc/{one}/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    )


@pytest.mark.parametrize("told", [True, False], ids=["length", "chunked"])
def test_a_small_file_gets_there(
    managing: HubProcess, store: Store, tmp_path: Path, told: bool
) -> None:
    file = tmp_path / "adapter.gguf"
    file.write_bytes(f"GGUF {told} {managing.engine}".encode() * 40_000)
    path = f"/api/blobs/{digest_of(file)}"
    assert managing.request("HEAD", path).status == 404
    if told:
        ollama.Client(
            host=managing.url, headers={"authorization": f"Bearer {managing.key}"}
        ).create_blob(file)
    else:
        assert chunked(managing, file)[0].startswith(b"HTTP/1.1 201 ")
    assert managing.request("HEAD", path).status == 200
    assert store.sizes[path] == file.stat().st_size


@pytest.mark.parametrize("told", [True, False], ids=["length", "chunked"])
def test_a_large_file_gets_there_or_is_refused_with_the_reason(
    managing: HubProcess, store: Store, tmp_path: Path, told: bool
) -> None:
    file = tmp_path / "model.gguf"
    with file.open("wb") as opened:
        opened.truncate(LARGE + told)
    before = most_memory(managing)
    client = ollama.Client(
        host=managing.url, headers={"authorization": f"Bearer {managing.key}"}
    )
    if managing.engine == "gthread":
        if told:
            client.create_blob(file)
        else:
            assert chunked(managing, file)[0].startswith(b"HTTP/1.1 201 ")
        assert store.sizes[f"/api/blobs/{digest_of(file)}"] == LARGE + told
    else:
        if told:
            with pytest.raises(ollama.ResponseError) as caught:
                client.create_blob(file)
            status, said = caught.value.status_code, caught.value.error
        else:
            head, body = chunked(managing, file)
            assert b"content-type: application/json" in head.lower()
            status, said = int(head.split()[1]), json.loads(body)["error"]
        assert status == 413
        assert "limits.body" in said and "server.engine" in said and "gthread" in said
    assert most_memory(managing) - before < 24 << 10
    assert managing.get("/readyz").status == 200
