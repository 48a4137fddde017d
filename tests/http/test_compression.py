"""Where answers are compressed, and where they must not be."""

from __future__ import annotations

import gzip
import json
from typing import Any

import falcon
import pytest
from falcon.testing import TestClient

from pihub.http.control.compression import PACKERS, Compression, chosen

TEXT = json.dumps([{"name": f"row {n}", "value": n} for n in range(500)]).encode()


class Answer:
    def __init__(self) -> None:
        self.kind = "application/json"
        self.data: bytes | None = TEXT
        self.headers: dict[str, str] = {}
        self.stream: Any = None
        self.status = 200
        self.cookie = False

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.content_type = self.kind
        resp.status = self.status
        if self.stream is not None:
            resp.stream = self.stream
        else:
            resp.data = self.data
        for name, value in self.headers.items():
            resp.set_header(name, value)
        if self.cookie:
            resp.set_cookie("session", "x")

    on_post = on_get


class Rig:
    def __init__(self) -> None:
        self.load = 0.1
        self.now = 0.0
        self.saved = 0
        self.answer = Answer()
        compression = Compression(self._save, lambda: self.load, lambda: self.now)
        app = falcon.App(middleware=[compression])
        app.add_route("/x", self.answer)
        self.client = TestClient(app)

    def _save(self, number: int) -> None:
        self.saved += number

    def get(
        self, accept: str = "gzip", client: str = "192.168.1.7", path: str = "/x",
        method: str = "GET",
    ) -> Any:  # fmt: skip
        headers = {"accept-encoding": accept, "x-pihub-forwarded": client}
        return self.client.simulate_request(method, path, headers=headers)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_it_pays(rig: Rig) -> None:
    result = rig.get()
    assert result.headers["content-encoding"] == "gzip"
    assert result.headers["vary"] == "accept-encoding"
    assert gzip.decompress(result.content) == TEXT
    assert int(result.headers["content-length"]) == len(result.content)
    assert rig.saved == len(TEXT) - len(result.content) > len(TEXT) // 2


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "text/event-stream", "stream": [b"data: 1\n\n"]},
        {"kind": "application/json", "stream": [TEXT]},
        {"kind": "image/png"},
        {"headers": {"content-encoding": "br"}},
        {"cookie": True},
        {"status": 404},
        {"data": TEXT[:1000]},
    ],
    ids=str,
)
def test_what_is_never_compressed(rig: Rig, change: dict[str, Any]) -> None:
    for name, value in change.items():
        setattr(rig.answer, name, value)
    assert rig.get().headers.get("content-encoding") in (None, "br")
    assert rig.saved == 0


def test_a_secret_and_reflected_input_never_share_a_compressed_body(rig: Rig) -> None:
    assert "content-encoding" not in rig.get(method="POST").headers
    rig.answer.kind = "text/html; charset=utf-8"
    assert "content-encoding" in rig.get().headers
    assert "content-encoding" not in rig.get(path="/x?q=guess").headers


@pytest.mark.parametrize("client", ["", "local", "127.0.0.1", "::1"])
def test_on_this_machine_it_would_only_cost(rig: Rig, client: str) -> None:
    assert "content-encoding" not in rig.get(client=client).headers


def test_a_busy_machine_compresses_only_what_is_large(rig: Rig) -> None:
    rig.answer.data = TEXT[:8000]
    assert "content-encoding" in rig.get().headers
    rig.load, rig.now = 3.0, 10.0
    assert "content-encoding" not in rig.get().headers
    rig.answer.data = TEXT
    assert "content-encoding" in rig.get().headers
    rig.answer.data = TEXT[:8000]
    rig.load, rig.now = 0.1, 20.0
    assert "content-encoding" in rig.get().headers


def test_what_does_not_shrink_is_left_alone_for_a_while(rig: Rig) -> None:
    import random

    rig.answer.data = random.Random(1).randbytes(4000)
    assert "content-encoding" not in rig.get().headers
    rig.answer.data = TEXT
    for _ in range(64):
        assert "content-encoding" not in rig.get().headers
    assert "content-encoding" in rig.get().headers


def test_another_representation_has_another_tag(rig: Rig) -> None:
    rig.answer.headers = {"etag": '"abc"'}
    assert rig.get().headers["etag"] == 'W/"abc"'
    assert rig.get(accept="").headers["etag"] == '"abc"'


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", ""), ("gzip", "gzip"), ("gzip;q=0", ""), ("identity", ""), ("br", ""),
        ("gzip;q=0.5, br", "gzip"), ("GZIP", "gzip"), ("gzip;q=x", ""), ("*;q=0", ""),
    ],
)  # fmt: skip
def test_what_the_client_takes(accept: str, wanted: str) -> None:
    assert chosen(accept) == wanted


def test_every_packer_is_undone_by_its_counterpart() -> None:
    assert gzip.decompress(PACKERS["gzip"](TEXT)) == TEXT
    assert list(PACKERS)[-1] == "gzip"
