"""The admin API over its real unix socket, served as in the control process."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pihub.errors import Unauthenticated
from pihub.http.control import service
from pihub.ops.upstreams import Probe
from pihub.shared.answers import group
from pihub.shared.events import Record
from pihub.shared.metrics import Column, Route
from pihub.store.metrics import MetricsStore
from pihub.store.sqlite import Database, StoreFault
from tests.http.control_parts import Control

API = "/admin/api/v1"


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    found = Control(tmp_path)
    yield found
    if found.thread.is_alive():
        found.finish()


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """One for all tests that must not change anything."""
    found = Control(tmp_path_factory.mktemp("control"))
    yield found
    found.finish()


def wait_for_rows(control: Control, count: int) -> list[dict[str, Any]]:
    end = time.monotonic() + 10
    while True:
        rows: list[dict[str, Any]] = control.call("GET", f"{API}/requests?limit=1000")[2]["items"]
        if len(rows) >= count:
            return rows
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_key_from_making_to_revoking(control: Control) -> None:
    status, headers, made = control.call("POST", f"{API}/keys", {"name": "laptop"})
    assert status == 201
    assert headers["cache-control"] == "no-store"
    assert made["tenant"] == "default" and made["state"] == "live"
    token = made.pop("token")
    assert control.access.principal(None, token).key == made["id"]
    status, _, listed = control.call("GET", f"{API}/keys")
    assert (status, listed) == (200, {"items": [made], "next": None, "prev": None})
    status, _, revoked = control.call("DELETE", f"{API}/keys/{made['id']}")
    assert (status, revoked["state"]) == (200, "revoked")
    with pytest.raises(Unauthenticated):
        control.access.principal(None, token)


def test_what_comes_through_a_worker_may_only_read(control: Control) -> None:
    made = control.call("POST", f"{API}/keys", {"name": "laptop"})[2]
    for client in ("127.0.0.1", "", "192.0.2.1, 127.0.0.1"):
        for method, path in (("POST", f"{API}/keys"), ("DELETE", f"{API}/keys/{made['id']}")):
            status, headers, problem = control.call(
                method, path, {"name": "evil"}, x_pihub_forwarded=client, x_pihub_request_id="ab12"
            )
            assert (status, problem["code"]) == (403, "forbidden")
            assert headers["content-type"] == "application/problem+json"
            assert problem["request_id"] == headers["x-pihub-request-id"] == "ab12"
        assert control.call("GET", f"{API}/keys", x_pihub_forwarded=client)[0] == 200
    (left,) = control.call("GET", f"{API}/keys")[2]["items"]
    assert left["state"] == "live"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8080", 200),
        ("127.0.0.1:8080", 200),
        ("192.168.1.20", 200),
        ("[::1]:8080", 200),
        ("hub.example:8443", 200),
        ("HUB.example", 200),
        ("evil.example", 403),
        ("hub.example.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost:80@evil.example", 403),
        ("[::1", 403),
        ("2130706433", 403),
    ],
)
def test_a_rebound_name_reads_nothing(untouched: Control, host: str, status: int) -> None:
    for forwarded in ({}, {"x_pihub_forwarded": "127.0.0.1"}):
        assert untouched.call("GET", f"{API}/status", Host=host, **forwarded)[0] == status


def test_requests_come_newest_first_in_pages(control: Control) -> None:
    model = control.state.names.intern("llama3")
    for rid in range(25):
        control.state.events.push(
            1, Record(ts_ns=time.time_ns(), rid=rid, status=200, model=model, cost_nano=-1)
        )
    wait_for_rows(control, 25)
    seen: list[str] = []
    cursor = ""
    while True:
        page = control.call("GET", f"{API}/requests?limit=10{cursor}")[2]
        seen += [row["request_id"] for row in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [f"{rid:016x}" for rid in range(24, -1, -1)]
    assert page["items"][0]["cost_usd"] is None
    assert page["items"][0]["model"] == "llama3"


def test_usage_adds_up(control: Control) -> None:
    models = [control.state.names.intern(name) for name in ("llama3", "claude")]
    for number in range(30):
        control.state.events.push(
            1,
            Record(
                ts_ns=time.time_ns(), rid=number, status=200, model=models[number % 2], in_tok=10,
                route=Route.OPENAI_CHAT, cost_nano=1_000_000 if number % 2 else -1, dur_us=20_000,
            ),
        )  # fmt: skip
    wait_for_rows(control, 30)
    for step in ("minute", "hour"):
        answer = control.call("GET", f"{API}/usage?step={step}&by=model")[2]
        sums: dict[str, int] = {}
        for row in answer["usage"]:
            sums[row["group"]] = sums.get(row["group"], 0) + row["requests"]
            assert 18 < row["p50_ms"] < 22
        assert sums == {"llama3": 15, "claude": 15}
        assert sum(row["cost_usd"] for row in answer["usage"]) == pytest.approx(0.015)
        assert sum(row["unpriced_requests"] for row in answer["usage"]) == 15


def test_a_key_tells_when_it_was_last_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the minute, out of what was recorded; kept, so that a restart does not forget it."""
    monkeypatch.setattr(service, "SEEN", 0.5)
    control = Control(tmp_path)
    try:
        for name in ("busy", "idle"):
            control.call("POST", f"{API}/keys", {"name": name})
        ids = {row["name"]: row["id"] for row in control.call("GET", f"{API}/keys")[2]["items"]}
        began = int(time.time())
        control.state.events.push(
            1,
            Record(ts_ns=time.time_ns(), rid=1, status=200, key=ids["busy"], dur_us=5,
                   route=Route.OPENAI_CHAT),
        )  # fmt: skip

        def used() -> dict[str, int | None]:
            rows = control.call("GET", f"{API}/keys")[2]["items"]
            return {row["name"]: row["used"] for row in rows}

        end = time.monotonic() + 30
        while used()["busy"] is None:
            assert time.monotonic() < end
            time.sleep(0.05)
        found = used()
        assert found["idle"] is None
        assert found["busy"] is not None and began - 60 <= found["busy"] <= time.time()
    finally:
        control.finish()


def test_the_status_is_the_live_picture(control: Control) -> None:
    control.state.counters.add(1, Column.REQUESTS, 3)
    end = time.monotonic() + 10
    while control.call("GET", f"{API}/status")[2]["totals"]["requests"] != 3:
        assert time.monotonic() < end
        time.sleep(0.05)
    picture = control.call("GET", f"{API}/status")[2]
    assert [one["name"] for one in picture["upstreams"]] == ["ollama"]
    assert picture["store"]["kind"] == "sqlite"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "param"),
    [
        ("GET", "/requests?limit=0", None, 400, "limit"),
        ("GET", "/requests?limit=1001", None, 400, "limit"),
        ("GET", "/requests?limit=ten", None, 400, "limit"),
        ("GET", "/requests?limit=%C2%B2", None, 400, "limit"),
        ("GET", "/requests?limit=1&limit=2", None, 400, "limit"),
        ("GET", "/requests?cursor=abc", None, 400, "cursor"),
        ("GET", "/requests?fields=id,password", None, 400, "fields"),
        ("GET", "/requests?offset=3", None, 400, "offset"),
        ("GET", "/usage?step=week", None, 400, "step"),
        ("GET", "/usage?by=1;drop table keys", None, 400, "by"),
        ("GET", "/usage?from=10&to=10", None, 400, "from"),
        ("GET", "/usage?from=0", None, 400, "from"),
        ("POST", "/keys", b"not json", 400, None),
        ("POST", "/keys", b"[1]", 400, None),
        ("POST", "/keys", b"", 400, None),
        ("POST", "/keys", b'{"name":"a","name":"b"}', 400, None),
        ("POST", "/keys", {"name": 5}, 400, "name"),
        ("POST", "/keys", {}, 400, "name"),
        ("POST", "/keys", {"name": "x", "flags": 255}, 400, "flags"),
        ("POST", "/keys", {"name": "x", "expires_in": True}, 400, "expires_in"),
        ("POST", "/keys", {"name": "x", "expires_in": -1}, 400, "expires_in"),
        ("POST", "/keys", {"name": "x", "tenant": "../x"}, 400, "tenant"),
        ("POST", "/keys", b'{"name":"' + b"x" * (1 << 18) + b'"}', 413, None),
        ("DELETE", "/keys/999", None, 404, None),
        ("DELETE", "/keys/one", None, 404, None),
        ("PUT", "/keys", None, 405, None),
        ("GET", "/nothing", None, 404, None),
        ("GET", f"/users/{1 << 65}", None, 404, None),  # beyond SQLite's integers
        ("POST", "/alerts/-1/acknowledge", None, 404, None),
        ("GET", "/requests?to=9223372036", None, 400, None),
        ("GET", f"/requests?key={1 << 63}", None, 400, None),
    ],
)
def test_wrong_requests_are_told_what_is_wrong(
    untouched: Control, method: str, path: str, body: Any, status: int, param: str | None
) -> None:
    found, headers, problem = untouched.call(method, API + path.replace(" ", "%20"), body)
    assert found == status
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-content-type-options"] == "nosniff"
    assert problem["status"] == status
    assert problem["request_id"] == headers["x-pihub-request-id"]
    assert len(problem["request_id"]) == 16
    if param is not None:
        assert param in problem["title"]
    assert untouched.call("GET", f"{API}/keys")[2]["items"] == []


def test_the_last_second_that_can_be_asked_for(untouched: Control) -> None:
    status, _, page = untouched.call("GET", f"{API}/requests?to=9223372035&key={(1 << 32) - 1}")
    assert (status, page["items"]) == (200, [])


def test_defects_stay_inside(
    control: Control, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object, **named: object) -> None:
        raise RuntimeError("the secret path /var/lib/x")

    monkeypatch.setattr(MetricsStore, "usage", fail)
    with caplog.at_level(logging.ERROR):
        status, _, problem = control.call("GET", f"{API}/usage")
    assert (status, problem["code"]) == (500, "internal_error")
    assert "secret path" not in json.dumps(problem)
    assert problem["request_id"] in caplog.text
    assert "secret path" in caplog.text


def test_a_database_that_does_not_answer_is_a_503(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **named: object) -> None:
        raise StoreFault("database or disk is full")

    monkeypatch.setattr(MetricsStore, "usage", fail)
    status, headers, problem = control.call("GET", f"{API}/usage")
    assert (status, problem["code"]) == (503, "control_unavailable")
    assert headers["retry-after"] == "2"
    assert "full" not in json.dumps(problem)


def test_a_stop_stores_what_the_rings_hold(control: Control) -> None:
    control.call("GET", f"{API}/status")
    for rid in range(100):
        control.state.events.push(1, Record(ts_ns=time.time_ns(), rid=rid, status=200))
    began = time.monotonic()
    control.finish()
    assert time.monotonic() - began < 8
    database = Database(control.folder / "pihub.db", "NORMAL")
    assert database.read("SELECT count(*) FROM requests") == [(100,)]
    database.close()
    left = {path.name for path in control.folder.iterdir()}
    assert left == {"pihub.db", "control.db", "pepper.key", "control.sock"}


def test_a_key_made_beside_the_running_hub_is_in_force_soon(control: Control) -> None:
    from pihub.security.keys import open_keys

    control.call("GET", f"{API}/keys")
    beside = open_keys(control.settings)
    token = beside.create("default", "cli").token
    beside.close()
    end = time.monotonic() + 10
    while True:
        try:
            control.access.principal(None, token)
            return
        except Unauthenticated:
            assert time.monotonic() < end
            time.sleep(0.02)


def test_a_post_sent_again_makes_nothing_twice(control: Control) -> None:
    again = {"idempotency_key": "k1"}
    first = control.call("POST", f"{API}/keys", {"name": "a"}, **again)
    second = control.call("POST", f"{API}/keys", {"name": "a"}, **again)
    assert first[0] == second[0] == 201 and first[2] == second[2]
    assert second[1]["idempotency-replayed"] == "true"
    assert control.call("POST", f"{API}/keys", {"name": "b"}, **again)[0] == 409
    assert control.call("POST", f"{API}/keys", {"name": ""}, idempotency_key="k2")[0] == 400
    assert control.call("POST", f"{API}/keys", {"name": "c"}, idempotency_key="k2")[0] == 201
    assert len(control.call("GET", f"{API}/keys")[2]["items"]) == 2


@pytest.mark.parametrize(("name", "status"), [("k" * 128, 201), ("k" * 129, 400), ("a\tb", 400)])
def test_the_name_of_a_post_has_a_limit(control: Control, name: str, status: int) -> None:
    assert control.call("POST", f"{API}/keys", {"name": "a"}, idempotency_key=name)[0] == status


def test_a_write_holds_to_the_version_that_was_read(control: Control) -> None:
    made = control.call("POST", f"{API}/keys", {"name": "a"})[2]
    at = f"{API}/keys/{made['id']}"
    _, headers, _ = control.call("GET", at)
    assert control.call("GET", at, if_none_match=headers["etag"])[0] == 304
    status, _, problem = control.call("DELETE", at, if_match='"other"')
    assert (status, problem["code"]) == (412, "precondition_failed")
    assert control.call("DELETE", at, if_match=headers["etag"])[2]["state"] == "revoked"
    assert control.call("DELETE", at, if_match=headers["etag"])[0] == 412


def test_lists_are_filtered_sorted_and_cut_to_fields(control: Control) -> None:
    for name in ("b", "c", "a"):
        control.call("POST", f"{API}/keys", {"name": name, "tenant": "t" if name == "a" else "u"})
    found = control.call("GET", f"{API}/keys?sort=-name&tenant=u&fields=name,tenant")[2]
    assert found["items"] == [{"name": n, "tenant": "u"} for n in ("c", "b")]
    _status, headers, page = control.call("GET", f"{API}/keys?sort=name&limit=2")
    assert [row["name"] for row in page["items"]] == ["a", "b"]
    link = headers["link"].split(">")[0][1:]
    assert [row["name"] for row in control.call("GET", link)[2]["items"]] == ["c"]
    assert control.call("GET", link.replace("sort=name", "sort=id"))[0] == 400


def test_the_document_is_served(untouched: Control) -> None:
    status, _headers, found = untouched.call("GET", "/admin/api/openapi.json")
    assert status == 200 and found["openapi"].startswith("3.1")


def test_the_cache_is_studied_and_purged(control: Control) -> None:
    state = control.state
    look, tag = 7 << 40, state.names.intern("assistant")
    for n, tenant in ((1, 1), (2, 1), (3, 2)):
        state.cache.put(look * n, n, tenant, b"v" * 100, 60, tag=tag, flags=group(look * n))
    state.cache.put(5 << 40, 5, 2, b"v" * 100, 0, stale=900, tag=tag)
    log = state.events
    log.push(1, Record(ts_ns=time.time_ns(), look=look, cache=2, kept=176, alias=tag, tenant=1,
                       route=1, status=200, cost_nano=4000, dur_us=10))  # fmt: skip
    log.push(1, Record(ts_ns=time.time_ns(), look=look, cache=1, saved_nano=4000, alias=tag,
                       tenant=1, route=1, status=200))  # fmt: skip
    wait_for_rows(control, 2)
    shown = control.call("GET", f"{API}/cache")[2]
    assert shown["measured_hit_ratio"] == 0.5
    assert [one["size"] for one in shown["sizes"]] == [0.25, 0.5, 1, 2, 4]
    assert shown["sizes"][2]["hit_ratio"] == 0.5
    (use,) = shown["routes"]
    assert (use["name"], use["hits"], use["misses"], use["kept_bytes"]) == (
        "openai_chat", 1, 1, 176,
    )  # fmt: skip
    assert {row["name"]: row["entries"] for row in shown["by_tenant"]} == {"1": 2, "2": 2}
    assert [(row["name"], row["stale"]) for row in shown["by_tag"]] == [("assistant", 1)]
    (hot,) = control.call("GET", f"{API}/cache/keys")[2]["items"]
    assert (hot["key"], hot["model"], hot["hits"], hot["bytes"]) == (
        f"{look:016x}", "assistant", 1, 176,
    )  # fmt: skip
    (old,) = control.call("GET", f"{API}/cache/stale")[2]["items"]
    assert (old["tenant"], old["tag"], old["bytes"]) == (2, "assistant", 176)

    def purge(**body: Any) -> tuple[int, Any]:
        status, _, told = control.call("POST", f"{API}/cache/purge", body)
        return status, told.get("entries", told.get("detail"))

    assert purge(key=hot["key"], tenant=1) == (200, 1)
    assert purge(key=hot["key"], tenant=1) == (200, 0)
    assert state.cache.get(look * 2, 2, 1) is not None
    assert purge(tenant=1) == (200, None)
    assert state.cache.get(look * 2, 2, 1) is None
    assert state.cache.get(look * 3, 3, 2) is not None
    assert purge(tag="assistant") == (200, None)
    assert state.cache.get(look * 3, 3, 2) is None
    assert purge(all=True) == (200, None)
    assert purge(tag="nothing")[0] == 404
    for wrong in ({}, {"tag": "a", "tenant": 1}, {"key": "0" * 16}, {"key": "x"}, {"tenant": 0}):
        assert purge(**wrong)[0] == 400, wrong


def test_a_probe_that_waits_holds_up_no_write(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go = threading.Event(), threading.Event()

    def ask(*_: object) -> Probe:
        asked.set()
        go.wait(30)
        return Probe(time.time(), False, 0, 0.0, "no answer")

    monkeypatch.setattr("pihub.ops.upstreams.ask", ask)
    with ThreadPoolExecutor(1) as pool:
        probed = pool.submit(control.call, "POST", f"{API}/upstreams/ollama/probe")
        try:
            assert asked.wait(10)
            assert control.call("POST", f"{API}/keys", {"name": "laptop"})[0] == 201
        finally:
            go.set()
        assert probed.result()[0] == 200


SQL = "x'); DROP TABLE keys; -- \" OR 1=1"


def test_what_looks_like_sql_is_a_value(control: Control) -> None:
    """In a name, a filter, a search, an order and a cursor."""
    made = control.call("POST", f"{API}/keys", {"name": SQL})
    assert made[0] == 201, made
    assert [row["name"] for row in control.call("GET", f"{API}/keys")[2]["items"]] == [SQL]
    asked = quote(SQL)
    for path in (
        f"requests?model={asked}", f"requests?sort={asked}", f"requests?cursor={asked}",
        f"requests?fields={asked}", f"audit?action={asked}", f"usage?by={asked}",
        f"security/findings/{asked}", f"streams/{asked}",
    ):  # fmt: skip
        status, _, said = control.call("GET", f"{API}/{path}")
        assert status < 500, (path, said)
        assert not (status == 200 and said.get("items")), path
    assert len(control.call("GET", f"{API}/keys")[2]["items"]) == 1
