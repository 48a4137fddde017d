"""What strangers, upstreams and the configuration call themselves stays text, on every page.

The policy would stop its scripts; here it must not even become an element. A mark in it tells.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page

from pihub.dashboard.entries import ENTRIES, OWN
from tests.dashboard.browser import PASSWORD, join, seated, until
from tests.system import hookparts
from tests.system.hub import HubProcess, Upstreams

HOSTILE = "x\"'><img src=x data-evil onerror=alert(1)>{{7*7}}<b data-evil>"
MARKED = "document.querySelectorAll('[data-evil]').length"
TOML = HOSTILE.replace('"', '\\"')
# The scanner notes only, so that what it would refuse arrives.
ENV = {**hookparts.ENV, "PIHUB_SCANNER__MODE": "monitor"}
EXTRA = """
[upstreams.evil]
kind = "ollama"
url = "{url}"
simulated = true

[models.odd]
chain = ["evil/{name}"]

[apis.echo]
url = "{url}"
prefix = "/apis/echo"
auth = false
"""


class Evil(BaseHTTPRequestHandler):
    """An upstream that has nothing but hostile text for everybody."""

    def answer(self) -> None:
        asked = self.rfile.read(int(self.headers.get("content-length") or 0))
        listed = {"name": HOSTILE, "model": HOSTILE, "size": 1, "digest": HOSTILE}
        told = {
            "error": HOSTILE, "models": [listed], "version": HOSTILE, "model": HOSTILE,
            "message": {"role": "assistant", "content": HOSTILE}, "done": True,
            "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 1,
        }  # fmt: skip
        if b"refuse" not in asked:
            del told["error"]
        body = json.dumps(told).encode()
        self.send_response(400 if "error" in told else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def haunted(upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub in which everything that may have any name has a hostile one."""
    evil = ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    threading.Thread(target=evil.serve_forever, daemon=True).start()
    extra = EXTRA.format(url=f"http://127.0.0.1:{evil.server_address[1]}", name=TOML)
    folder = tmp_path_factory.mktemp("haunted")
    with HubProcess(folder, upstreams, extra=extra + hookparts.CONFIG, env=ENV) as hub:
        join(folder, "olga")
        named(hub)
        yield hub
    evil.shutdown()


def named(hub: HubProcess) -> None:
    for method, path, body in (
        ("POST", "/keys", {"name": HOSTILE}),
        ("POST", "/users", {"subject": "eve", "name": HOSTILE, "role": "viewer",
                            "password": PASSWORD}),
        ("PUT", "/role-groups", {"issuer": "https://id.example", "group": HOSTILE,
                                 "role": "viewer"}),
        ("POST", "/alert-silences", {"rule": "upstream_down", "seconds": 900,
                                     "reason": HOSTILE}),
        ("POST", "/budgets", {"scope": "user", "name": HOSTILE, "per_day_usd": 1}),
    ):  # fmt: skip
        said = hub.admin(method, path, body)
        assert said.status in (200, 201), (path, said.text)
    for model in ("assistant", "odd", HOSTILE):
        for text in (HOSTILE, f"refuse {HOSTILE}"):
            messages = [{"role": "user", "content": text}]
            hub.post("/v1/chat/completions", {"model": model, "messages": messages})
    hub.get(f"/apis/echo/{quote(HOSTILE)}?{quote(HOSTILE)}={quote(HOSTILE)}")
    hub.request(
        "POST", "/dashboard/login", f"user={quote(HOSTILE)}&password=wrong&code=".encode(),
        content_type="application/x-www-form-urlencoded", user_agent=HOSTILE,
    )  # fmt: skip
    rows = [hookparts.event(1, 1, subscriptionType=HOSTILE, propertyName=HOSTILE)]
    assert hookparts.post(hub.port, rows)[0] < 300
    end = time.monotonic() + 30
    while HOSTILE not in [row["model"] for row in hub.admin("GET", "/requests").json["items"]]:
        assert time.monotonic() < end, "the requests are stored within a second or two"
        time.sleep(0.1)


SCREENS = [
    *(f"/dashboard/{one.name}" for one in ENTRIES), *(f"/dashboard/{name}" for name, _ in OWN)
]  # fmt: skip


def unharmed(page: Page, url: str, *, quiet: bool = False) -> str:
    """The page's text. `quiet`: when its scripts have fetched what they show."""
    page.goto(url, wait_until="networkidle" if quiet else "load")
    assert page.evaluate(MARKED) == 0, url
    return str(page.evaluate("document.body.innerText"))


def followed(page: Page, hub: HubProcess) -> dict[str, str]:
    """The text of every screen, and of four of each kind of page that it leads to."""
    waiting, seen = ["/dashboard", *SCREENS], {}
    kinds: dict[tuple[str, ...], int] = {}
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen[path] = unharmed(page, hub.url + path, quiet=path in SCREENS)
        for link in page.evaluate("[...document.links].map((one) => one.href)"):
            parts = urlsplit(link)
            name = parts.query.partition("=")[0]
            kind = (path.partition("?")[0], parts.path.rstrip("0123456789"), name)
            kinds[kind] = kinds.get(kind, 0) + 1
            if link.startswith(f"{hub.url}/dashboard") and kinds[kind] <= 4:
                waiting.append(parts.path + (f"?{parts.query}" if parts.query else ""))
    return seen


@pytest.fixture
def page(haunted: HubProcess, chromium: Browser) -> Iterator[Page]:
    """Of an owner. A script that runs, or that the policy had to stop, fails the test."""
    with seated(chromium, haunted, "keys", minds=lambda one: "Content Security" in one) as found:
        ran: list[str] = []
        found.on("dialog", lambda one: (ran.append(one.message), one.dismiss()))
        yield found
        assert ran == []


@pytest.mark.slow
def test_names_are_text_on_every_page(haunted: HubProcess, page: Page) -> None:
    seen = followed(page, haunted)
    shown = {path.partition("?")[0].rpartition("/")[2] for path in seen if HOSTILE in seen[path]}
    # Where they stand whole. Sessions and findings show them cut short.
    expected = {"costs", "health", "models", "webhooks", "keys", "users", "audit", "requests"}
    assert shown >= expected, expected - shown
    assert "data-evil" in seen["/dashboard/security"]


@pytest.mark.slow
def test_what_is_asked_for_is_text_on_every_page(haunted: HubProcess, page: Page) -> None:
    names = ("q", "id", "model", "name", "source", "from", "to", "cursor", "key", "by", "sort",
             "next", "event", "state", "status", "show", "route")  # fmt: skip
    asked = "&".join(f"{name}={quote(HOSTILE)}" for name in names)
    for path in ("/dashboard", *SCREENS):
        unharmed(page, f"{haunted.url}{path}?{asked}")
    unknown = ("/", "/dashboard/", "/dashboard/setup/", "/dashboard/requests/", "/v1/",
               "/admin/api/v1/", "/admin/api/v1/keys/", "/apis/echo/", "/webhooks/")  # fmt: skip
    for path in unknown:
        for name in (HOSTILE, "<script data-evil>alert(1)</script>"):
            unharmed(page, haunted.url + path + quote(name, safe="<>'\""))
            unharmed(page, haunted.url + path + quote(quote(name)))


@pytest.mark.slow
def test_what_an_upstream_says_is_text_in_the_playground(
    haunted: HubProcess, page: Page
) -> None:
    page.goto(f"{haunted.url}/dashboard/playground")
    page.fill("[name=key]", haunted.key)
    for side in ("left", "right"):
        page.select_option(f"[data-side={side}] select", "odd")
    for text in (HOSTILE, f"refuse {HOSTILE}"):
        page.fill("[name=text]", text)
        page.click("#ask button[type=submit]")
        until(page, "!document.querySelector('[data-side=left] [aria-busy=true]')")
    until(page, f"document.body.innerText.split({json.dumps(HOSTILE)}).length > 4")
    assert page.evaluate(MARKED) == 0


def test_the_mark_has_teeth(chromium: Browser) -> None:
    page = chromium.new_page()
    page.set_content(f"<p>{HOSTILE}</p>")
    assert page.evaluate(MARKED) == 2
    page.close()
