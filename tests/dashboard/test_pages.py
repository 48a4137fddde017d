"""The pages over the control process's real application: headers, markup, filters."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import falcon
import pytest
from falcon.testing import Result, TestClient

from pihub.dashboard.pages import HERE, pages
from pihub.dashboard.policy import CSP
from pihub.dashboard.view import view
from pihub.http.control.routes import build_control_app
from pihub.http.control.services import ControlServices
from pihub.shared.events import CacheState, Flag, Record
from pihub.shared.metrics import Route
from tests.dashboard.conftest import Parts

HOSTILE = "<script>alert(1)</script>\"' onload=x {{7*7}}"
VOID = {"meta", "link", "img", "input", "path", "br"}


class Node(NamedTuple):
    tag: str
    attributes: dict[str, str | None]


class Page(HTMLParser):
    """Every element of a page; fails when one is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.nodes.append(Node(tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.nodes.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [node.attributes for node in self.nodes if node.tag == tag]


@pytest.fixture
def client(parts: Parts) -> TestClient:
    nothing: Any = None
    no_keys: Any = SimpleNamespace(list=list)
    services = ControlServices(no_keys, parts.store, parts.live, nothing, nothing, nothing, nothing)
    routes, fault = pages(services, threading.Event())
    app = build_control_app(services, routes, fault=fault)
    return TestClient(app, headers={"host": "localhost"})


def recorded(parts: Parts, *records: Record) -> None:
    """Put records through the ring and the recorder into the database."""
    for record in records:
        parts.state.events.push(1, record)
    assert parts.recorder.drain()


def record(parts: Parts, model: str = "llama3.2:3b", **changes: Any) -> Record:
    names = parts.state.names
    made = Record(
        ts_ns=time.time_ns(),
        rid=1,
        status=200,
        route=Route.OPENAI_CHAT,
        model=names.intern(model),
        upstream=names.intern("ollama"),
        alias=names.intern("assistant"),
        cache=CacheState.MISS,
        reason=1,
        dur_us=84_000,
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def body_rows(result: Result) -> int:
    section = result.text.split("<tbody", 2)[-1].split("</tbody>")[0]
    return section.count("<tr")


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/requests"])
def test_pages_may_do_only_what_they_bring_themselves(client: TestClient, path: str) -> None:
    result = client.simulate_get(path)
    assert result.status == falcon.HTTP_200
    assert result.headers["content-type"] == "text/html; charset=utf-8"
    assert result.headers["content-security-policy"] == CSP
    assert result.headers["x-content-type-options"] == "nosniff"
    assert result.headers["referrer-policy"] == "no-referrer"
    assert result.headers["cache-control"] == "no-store"
    page = Page(result.text)
    assert page.all("style") == []
    for node in page.nodes:
        for name, value in node.attributes.items():
            assert name != "style" and not name.startswith("on"), node
            if name in ("href", "src", "action") and value is not None:
                assert re.match(r"[/#](?!/)", value), f"{node}: only this host"
    for script in page.all("script"):
        assert script.get("src")
    assert CSP == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def test_the_policy_has_teeth(client: TestClient) -> None:
    # The page's markup is refused by the check above when it breaks the policy.
    page = Page('<p style="x" onclick="y"><a href="https://example.com">z</a></p>')
    found = {name for node in page.nodes for name in node.attributes}
    assert {"style", "onclick", "href"} <= found


def test_static_files_are_kept_for_ever_and_revalidated(client: TestClient) -> None:
    page = Page(client.simulate_get("/dashboard").text)
    urls = [a["href"] for a in page.all("link")] + [a["src"] for a in page.all("script")]
    assert len(urls) >= 4
    for url in urls:
        assert url is not None
        whole = client.simulate_get(url)
        assert whole.status == falcon.HTTP_200
        assert whole.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert whole.headers["vary"].lower() == "accept-encoding"
        packed = client.simulate_get(url, headers={"accept-encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert len(packed.content) < len(whole.content)
        assert packed.headers["etag"] != whole.headers["etag"]
        again = client.simulate_get(url, headers={"if-none-match": whole.headers["etag"]})
        assert again.status == falcon.HTTP_304 and again.content == b""
        assert client.simulate_head(url).status == falcon.HTTP_200


def test_the_first_load_is_light(client: TestClient, parts: Parts) -> None:
    recorded(parts, *(record(parts, rid=n) for n in range(60)))
    parts.live.build()
    result = client.simulate_get("/dashboard")
    page = Page(result.text)
    urls = [a["href"] for a in page.all("link")] + [a["src"] for a in page.all("script")]
    packed = {"accept-encoding": "gzip"}
    files = sum(len(client.simulate_get(str(u), headers=packed).content) for u in set(urls))
    assert len(result.content) + files <= 100_000


@pytest.mark.parametrize(
    "name", ["page.css", "page.000000000000.css", "..%2fpages.py", "%2e%2e/pages.py", ""]
)
def test_only_the_known_names_are_files(client: TestClient, name: str) -> None:
    assert client.simulate_get(f"/dashboard/static/{name}").status == falcon.HTTP_404


def test_hostile_names_are_text(client: TestClient, parts: Parts) -> None:
    recorded(parts, record(parts, model=HOSTILE))
    parts.live.build()
    for path in ("/dashboard", "/dashboard/requests"):
        result = client.simulate_get(path)
        assert "<script>alert" not in result.text
        page = Page(result.text)
        assert HOSTILE in "".join(page.text)
        assert not any("onload" in node.attributes for node in page.nodes)
    asked = client.simulate_get("/dashboard/requests", params={"model": '"><script>alert(1)'})
    assert "<script>alert" not in asked.text
    assert '"><script>alert(1)' in [one.get("value") for one in Page(asked.text).all("input")]


def test_the_page_says_all_without_a_script(client: TestClient, parts: Parts) -> None:
    recorded(parts, record(parts), record(parts, status=502))
    parts.live.build()
    text = " ".join("".join(Page(client.simulate_get("/dashboard").text).text).split())
    assert "ollama/llama3.2:3b" in text and "84 ms" in text and "502" in text
    assert re.search(r"As of \d\d:\d\d:\d\d; reload", text)
    assert "ollama and claude are simulated" in text


def test_templates_and_texts_name_the_same_fields(client: TestClient, parts: Parts) -> None:
    recorded(parts, record(parts))
    parts.live.build()
    page = Page(client.simulate_get("/dashboard").text)
    found = view(json.loads(parts.live.snapshot()[1]))
    wanted = {str(node.attributes["data-t"]) for node in page.nodes if "data-t" in node.attributes}
    assert wanted == set(found["texts"]) - {"errors_tone"}
    fields = {str(node.attributes["data-f"]) for node in page.nodes if "data-f" in node.attributes}
    rows = [*found["upstreams"], *found["requests"]]
    known = {name for one in rows for name in one}
    # Alerts and processes: there are none here.
    known |= {"text", "rss", "requests", "busy", "pid", "streams"}
    assert fields <= known


def test_filters_find_what_they_say(client: TestClient, parts: Parts) -> None:
    recorded(
        parts,
        record(parts),
        record(parts, status=502, reason=18),
        record(parts, reason=3),
        record(parts, cache=CacheState.HIT),
        record(parts, cache=CacheState.SHARED),
        record(parts, "special", flags=int(Flag.STREAM)),
    )
    counts = {
        show: body_rows(client.simulate_get("/dashboard/requests", params={"show": show}))
        for show in ("all", "errors", "fallbacks", "hits", "streams")
    }
    assert counts == {"all": 6, "errors": 1, "fallbacks": 1, "hits": 2, "streams": 1}
    found = client.simulate_get("/dashboard/requests", params={"model": "SPECial"})
    assert body_rows(found) == 1
    none = client.simulate_get("/dashboard/requests", params={"model": "nobody"})
    assert body_rows(none) == 0 and "Nothing matches." in none.text
    status = client.simulate_get("/dashboard/requests", params={"status": "5", "show": "errors"})
    assert body_rows(status) == 1


def test_older_requests_are_one_link_away(client: TestClient, parts: Parts) -> None:
    recorded(parts, *(record(parts, rid=n, status=404) for n in range(1, 121)))
    seen, url, pages_seen = 0, "/dashboard/requests?show=errors", 0
    while url:
        result = client.simulate_get(url.partition("?")[0], query_string=url.partition("?")[2])
        seen += body_rows(result)
        pages_seen += 1
        links = [str(a["href"]) for a in Page(result.text).all("a")]
        url = next((one for one in links if "before=" in one), "")
        assert pages_seen < 10
    assert seen == 120


@pytest.mark.parametrize(
    "query",
    ["show=x", "before=x", "before=0", "before=99999999999999999999", "foo=1", "show=all&show=all",
     "model=" + "a" * 101],
)  # fmt: skip
def test_what_means_nothing_is_refused(client: TestClient, query: str) -> None:
    assert client.simulate_get("/dashboard/requests", query_string=query).status_code == 400


def test_a_trailing_slash_leads_to_the_page(client: TestClient) -> None:
    result = client.simulate_get("/dashboard/")
    assert result.status_code == 308 and result.headers["location"] == "/dashboard"


def test_writing_is_not_offered(client: TestClient) -> None:
    for path in ("/dashboard", "/dashboard/events", "/dashboard/requests"):
        assert client.simulate_post(path).status_code == 405


@pytest.mark.parametrize(
    "path, status, says",
    [
        ("/dashboard/requests/4711", 404, "This request is not kept, or not any more"),
        ("/dashboard/nowhere", 404, "There is nothing here"),
        ("/dashboard/requests?status=9", 400, "The address is not right"),
    ],
)
def test_people_get_a_page_where_something_failed(
    client: TestClient, path: str, status: int, says: str
) -> None:
    found = client.simulate_get(path, headers={"accept": "text/html,*/*;q=0.8"})
    assert found.status_code == status
    assert found.headers["content-type"].startswith("text/html")
    assert found.headers["content-security-policy"] == CSP
    page = Page(found.text)
    assert says in " ".join(page.text)
    assert {"href": "/dashboard"} in page.all("a"), "it leads on"
    told = client.simulate_get(path, headers={"accept": "application/json"})
    assert told.status_code == status
    assert told.headers["content-type"] == "application/problem+json"


def test_no_template_is_read_after_the_start(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While the package is upgraded its files are of another version than the process."""
    nothing: Any = None
    no_keys: Any = SimpleNamespace(list=list)
    services = ControlServices(no_keys, parts.store, parts.live, nothing, nothing, nothing, nothing)
    copy = tmp_path / "dashboard"
    shutil.copytree(HERE, copy)
    monkeypatch.setattr("pihub.dashboard.pages.HERE", copy)
    routes, fault = pages(services, threading.Event())
    shutil.rmtree(copy)
    client = TestClient(
        build_control_app(services, routes, fault=fault), headers={"host": "localhost"}
    )
    for path in ("/dashboard", "/dashboard/requests"):
        assert client.simulate_get(path).status_code == 200
