"""Secrets go where they must and nowhere else: searched for in all that the hub leaves behind:
answers, errors, metrics, every page, every GET of the admin API, logs, exports, databases."""

from __future__ import annotations

import base64
import http.client
import json
import sqlite3
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode

import pytest

from pihub.dashboard.entries import ENTRIES, OWN
from pihub.http.control.table import OPERATIONS
from tests.system.clients import ANTHROPIC, OLLAMA, OPENAI
from tests.system.hub import HubProcess, Upstreams

PLANTED = "sk-planted-7f3c9d51e2a84b6f"
HOOK = "the-sender-s-planted-secret-5d1c"
PASSWORD = "a planted sentence of words 81"
PERSON = "planted.person@mail.example.org"
EXTRA = """
[upstreams.keyed]
kind = "openai"
url = "{url}"
api_key_env = "PLANTED_KEY"
simulated = true

[models.keyed]
chain = ["keyed/gpt-4o-mini"]
[models.judged]
chain = ["claude/claude-haiku-4-5"]
prompts = "redact-then-cloud"

[webhooks.code]
kind = "github"
secret_env = "PLANTED_HOOK"

[otel]
endpoint = "{otel}"
"""
API = "/admin/api/v1"
FORM = "application/x-www-form-urlencoded"


class Collector(BaseHTTPRequestHandler):
    """Takes OTLP exports and keeps them."""

    got: list[bytes]

    def do_POST(self) -> None:
        type(self).got.append(self.rfile.read(int(self.headers.get("content-length") or 0)))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        pass


class Admin:
    """A logged-in owner in a browser on this machine."""

    def __init__(self, hub: HubProcess) -> None:
        self.hub = hub
        self.jar: dict[str, str] = {}

    def call(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items())}
        if kind:
            headers |= {"content-type": kind, "x-csrf-token": self.jar.get("pihub_csrf", "")}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            self.status = answer.status
            said = answer.read()
            for name, value in answer.getheaders():
                if name.lower() == "set-cookie":
                    key, _, rest = value.partition("=")
                    self.jar[key] = rest.partition(";")[0]
            kept = [f"{n}: {v}" for n, v in answer.getheaders() if n.lower() != "set-cookie"]
            return "\n".join(kept).encode() + said
        finally:
            connection.close()

    def form(self, path: str, **fields: str) -> bytes:
        return self.call("POST", path, urlencode(fields).encode(), FORM)


def shown_paths() -> list[str]:
    """Every page and every GET, with numbers and names that exist or do not."""
    pages = ["/dashboard", "/dashboard/login", *(f"/dashboard/{one.name}" for one in ENTRIES)]
    pages += [f"/dashboard/{name}" for name, _ in OWN]
    found = list(dict.fromkeys(pages))
    for one in OPERATIONS:
        if one.method == "GET" and "stream" not in one.id.lower():
            path = one.shown_path.replace("{number}", "1").replace("{request_id}", "0" * 16)
            found.append(path.replace("{name}", "keyed"))
    return found


@pytest.mark.slow
def test_planted_secrets_are_in_no_sink(
    engine: str, upstreams: Upstreams, tmp_path: Path
) -> None:
    upstreams.clear_log()
    Collector.got = []
    collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    Thread(target=collector.serve_forever, daemon=True).start()
    otel = f"http://127.0.0.1:{collector.server_address[1]}"
    extra = EXTRA.format(url=upstreams.openai, otel=otel)
    env = {"PLANTED_KEY": PLANTED, "PLANTED_HOOK": HOOK}
    with HubProcess(tmp_path, upstreams, engine, extra=extra, env=env) as hub:
        said: list[bytes] = []
        for fault in ("", "F4", "F6", "F7", "F8", "F12"):
            if fault:
                upstreams.faults("openai", fault, times=6)
                upstreams.faults("claude", fault, times=6)
            for client in (OPENAI, ANTHROPIC, OLLAMA):
                for stream in (False, True):
                    reply = hub.post(client.path, client.body("keyed", "hello", stream=stream))
                    said.append(f"{reply.headers} {reply.text}".encode())
                    body = client.body("judged", f"write to {PERSON}", stream=stream)
                    reply = hub.post(client.path, body)
                    # Its asker may read whom the prompt named; nothing else may.
                    own = reply.text if reply.status >= 400 else reply.text.replace(PERSON, "")
                    said.append(f"{reply.headers} {own}".encode())
            upstreams.clear("openai", "claude")
        sent = str(upstreams.log("openai"))
        assert PLANTED in sent, "the upstream gets its own key"
        assert hub.key not in sent, "and never the client's"
        assert PERSON not in str(upstreams.log("claude")), "nor whom the prompt names"
        bad = hub.post("/webhooks/code", {"a": 1}, x_hub_signature_256=f"sha256={HOOK}")
        said.append(bad.text.encode())
        said += [
            hub.get(path).text.encode()
            for path in ("/metrics", "/healthz", "/readyz", "/v1/models")
        ]
        admin, seeds = logged_in(hub), []
        walked = shown_paths()
        for path in walked:
            said.append(admin.call("GET", path))
            assert admin.status < 500, path
        assert len(walked) > 60
        enrolled = admin.form("/dashboard/account", do="totp", old=PASSWORD,
                              csrf=admin.jar["pihub_csrf"])  # fmt: skip
        seed = enrolled.partition(b"secret=")[2].partition(b"&")[0]
        assert len(seed) >= 32, "it is shown this once"
        seeds = [seed, base64.b32decode(seed + b"=" * (-len(seed) % 8))]
        said += [admin.call("GET", path) for path in walked]
        for command in (["keys", "list"], ["config"], ["check", "--security"], ["egress", "show"]):
            done = hub.pihub(*command, check=False)
            said.append((done.stdout + done.stderr).encode())
        backups = backed_up(tmp_path)
        hub.stop()
    collector.shutdown()
    planted = [text.encode() for text in (PLANTED, hub.key, HOOK, PASSWORD, PERSON)]
    sessions = [v.encode() for name, v in admin.jar.items() if "csrf" not in name and len(v) > 20]
    assert sessions, "the session's cookie is one of them"
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in written)
    sinks = {str(path): path.read_bytes() for path in written}
    sinks |= {f"answer {n}": text for n, text in enumerate(said)} | backups
    sinks |= {f"export {n}": data for n, data in enumerate(Collector.got)}
    assert Collector.got, "something was exported"
    for name, data in sinks.items():
        for secret in (*planted, *sessions, *seeds):
            assert secret not in data, (name, secret[:12])


def logged_in(hub: HubProcess) -> Admin:
    made = hub.admin("POST", "/users", {"subject": "ann", "password": PASSWORD, "role": "owner"})
    assert made.status == 201, made.text
    admin = Admin(hub)
    admin.form("/dashboard/login", user="ann", password=PASSWORD, code="")
    assert admin.status == 303
    assert json.loads(admin.call("GET", f"{API}/me").partition(b"{")[2].join([b"{", b""]))
    return admin


def backed_up(folder: Path) -> dict[str, bytes]:
    """Each database as SQLite's own backup copies it, its WAL taken in."""
    found = {}
    for path in folder.glob("*.db"):
        target = folder / f"copy-of-{path.name}"
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
        found[f"backup {path.name}"] = target.read_bytes()
    return found
