"""What every answer tells a browser, from whichever part of the hub it comes; CORS by mode."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.hub import HubProcess, Upstreams

CHAT = "/v1/chat/completions"
API = '\n[apis.echo]\nprefix = "/apis/echo"\nurl = "{url}"\nauth = false\n'
ORIGIN = "https://chat.example"
EVERY = {
    "x-content-type-options": "nosniff",
    "x-security-level": "home",
    "strict-transport-security": "max-age=31536000",
}


@pytest.fixture(scope="module")
def safe(
    engine: str, upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    folder: Path = tmp_path_factory.mktemp(f"safe-{engine}")
    env = {
        "PIHUB_SERVER__PUBLIC_URL": "https://localhost",
        "PIHUB_SERVER__CORS_ORIGINS": json.dumps([ORIGIN]),
        "PIHUB_SERVER__CORS_CREDENTIALS": "true",
        "PIHUB_SERVER__CORS_PRODUCTION": json.dumps(["https://other.example"]),
    }
    extra = API.format(url=upstreams.ollama)
    with HubProcess(folder, upstreams, engine=engine, workers=1, env=env, extra=extra) as hub:
        yield hub


def chat(text: str, **more: object) -> dict[str, object]:
    return {"model": "local", "messages": [{"role": "user", "content": text}], **more}


def heads(hub: HubProcess, data: bytes) -> list[tuple[int, list[tuple[str, str]]]]:
    """(status, fields) of each answer to these bytes, until the hub closes."""
    found = b""
    with socket.create_connection(("127.0.0.1", hub.port), 15) as sock:
        sock.sendall(data)
        while piece := sock.recv(65536):
            found += piece
    told = []
    for part in found.split(b"HTTP/1.1 ")[1:]:
        first, *lines = part.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        fields = [(name.lower(), value) for name, _, value in (li.partition(": ") for li in lines)]
        told.append((int(first[:3]), fields))
    return told


def ask(method: str, path: str, body: bytes = b"", **fields: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}\r\n")
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    return (head + "".join(lines) + "\r\n").encode() + body


def test_every_answer_has_the_fields_once(safe: HubProcess) -> None:
    key = {"Authorization": f"Bearer {safe.key}"}
    kept = json.dumps(chat("said twice", temperature=0)).encode()
    streamed = json.dumps(chat("streamed", stream=True)).encode()
    cases: dict[str, tuple[int | tuple[int, ...], bytes]] = {
        "miss": (200, ask("POST", CHAT, kept, **key)),
        "hit": (200, ask("POST", CHAT, kept, **key)),
        "stream": (200, ask("POST", CHAT, streamed, **key)),
        "no key": (401, ask("POST", CHAT, kept)),
        "no model": (404, ask("POST", CHAT, b'{"model":"x","messages":[]}', **key)),
        "bad body": (400, ask("POST", CHAT, b"{", **key)),
        "method": (405, ask("GET", CHAT)),
        "nothing": (404, ask("GET", "/nothing")),
        "health": (200, ask("GET", "/healthz")),
        "models": (200, ask("GET", "/v1/models", **key)),
        "api": (200, ask("GET", "/apis/echo/api/tags")),
        "page": (200, ask("GET", "/dashboard/login")),
        "admin": (200, ask("GET", "/admin/api/openapi.json")),
        "too many fields": (431, ask("GET", "/", X_A="a" * 40000)),
        "malformed": (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        "no such coding": ((400, 501), ask("POST", "/v1/x", Transfer_Encoding="gzip")),
        "preflight": (
            204,
            ask("OPTIONS", CHAT, Origin=ORIGIN, Access_Control_Request_Method="POST"),
        ),
    }
    # A second request over a connection that stays open takes the short way of a hit.
    keep = ask("POST", CHAT, kept, **key).replace(b"Connection: close\r\n", b"")
    for name, (status, data) in {**cases, "two": (200, keep + cases["hit"][1])}.items():
        told = heads(safe, data)
        assert told, name
        for got, fields in told:
            assert got in (status if isinstance(status, tuple) else (status,)), (name, got)
            for field, value in EVERY.items():
                assert [v for n, v in fields if n == field] == [value], (name, field, fields)


def test_what_an_api_answers_is_no_page_of_the_hub(safe: HubProcess) -> None:
    policy = safe.get("/apis/echo/api/tags").headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")


def test_a_listed_origin_may_read_and_no_other(safe: HubProcess) -> None:
    told = safe.post(CHAT, chat("hi"), origin=ORIGIN).headers
    assert told["access-control-allow-origin"] == ORIGIN
    assert told["access-control-allow-credentials"] == "true"
    assert "x-pihub-cost" in told["access-control-expose-headers"]
    assert "origin" in told["vary"].lower()
    for other in ("https://evil.example", "https://other.example", "null", ORIGIN + ".evil"):
        told = safe.post(CHAT, chat("hi"), origin=other).headers
        assert not [name for name in told if name.startswith("access-control")], other
    told = safe.get("/dashboard/login", origin=ORIGIN).headers
    assert "access-control-allow-origin" not in told, "pages are for nobody else"


def test_errors_tell_nothing_of_the_inside(safe: HubProcess, upstreams: Upstreams) -> None:
    upstreams.faults("ollama", "F8", times=1)
    wrong = [
        safe.post(CHAT, chat("breaks")),
        safe.post(CHAT, b"\xff\xfe"),
        safe.get("/apis/echo/%zz"),
        safe.get("/v1/models/" + "../" * 20 + "etc/passwd"),
        safe.request("PATCH", "/admin/api/v1/keys/1", {"x": 1}),
    ]
    for answer in wrong:
        assert answer.status >= 400
        for inside in ("Traceback", "site-packages", str(safe.folder), "/work", ".py", "sqlite"):
            assert inside not in answer.text, (inside, answer.text)
