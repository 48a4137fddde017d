"""Models, prices, APIs, processes and searches of requests, over the socket."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pihub.shared.events import CacheState, Record
from tests.http.control_parts import Control

API = "/admin/api/v1"


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    made = Control(tmp_path_factory.mktemp("control"))
    intern = made.state.names.intern
    for number in range(60):
        failed = number % 10 == 0
        made.state.events.push(
            0,
            Record(
                ts_ns=time.time_ns(), rid=number + 1, status=504 if failed else 200, route=1,
                model=intern("haiku" if number % 2 else "llama"), alias=intern("assistant"),
                upstream=intern("ollama"), key=number % 3, cache=int(CacheState.MISS),
                error=intern("upstream_timeout") if failed else 0, dur_us=1000,
            ),
        )  # fmt: skip
    end = time.monotonic() + 20
    while len(made.call("GET", f"{API}/requests?limit=100")[2]["items"]) < 60:
        assert time.monotonic() < end
        time.sleep(0.05)
    yield made
    made.finish()


def ids(control: Control, query: str) -> list[int]:
    status, _, page = control.call("GET", f"{API}/requests?{query}")
    assert status == 200, page
    return [row["id"] for row in page["items"]]


def test_requests_are_found_by_what_they_were(control: Control) -> None:
    assert len(ids(control, "model=haiku")) == 30
    assert len(ids(control, "model=assistant")) == 60
    assert len(ids(control, "status=5xx")) == len(ids(control, "status=504")) == 6
    assert len(ids(control, "error=upstream_timeout&key=0")) == 2
    assert ids(control, "cache=hit") == []
    assert len(ids(control, "cache=miss&route=openai_chat&upstream=ollama")) == 60
    assert ids(control, f"to={int(time.time()) - 3600}") == []
    assert len(ids(control, f"from={int(time.time()) - 3600}")) == 60
    newest = ids(control, "limit=5")
    assert newest == sorted(newest, reverse=True)
    assert ids(control, "limit=5&sort=id") == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("query", ["status=6xx", "status=abc", "cache=maybe", "route=/", "key=-1"])
def test_what_cannot_be_searched_for_is_refused(control: Control, query: str) -> None:
    status, _, problem = control.call("GET", f"{API}/requests?{query}")
    assert (status, problem["code"]) == (400, "bad_request")


def test_a_search_is_walked_there_and_back(control: Control) -> None:
    url, pages = f"{API}/requests?model=haiku&limit=7", []
    while url:
        _, _, page = control.call("GET", url)
        pages.append([row["id"] for row in page["items"]])
        url = f"{API}/requests?model=haiku&limit=7&cursor={page['next']}" if page["next"] else ""
    found = [number for page in pages for number in page]
    assert found == ids(control, "model=haiku")
    back = []
    while page["prev"]:
        _, _, page = control.call(
            "GET", f"{API}/requests?model=haiku&limit=7&cursor={page['prev']}"
        )
        back.append([row["id"] for row in page["items"]])
    assert [n for one in reversed(back) for n in one] == found[: len(found) - len(pages[-1])]
    other = control.call("GET", f"{API}/requests?model=llama&limit=7&cursor={page['next']}")
    assert other[0] == 400, "a cursor belongs to its filters"


def test_prices_are_told_and_filtered(control: Control) -> None:
    _, _, page = control.call("GET", f"{API}/prices?kind=anthropic&model=haiku-4-5")
    assert page["items"] and all(row["kind"] == "anthropic" for row in page["items"])
    assert page["items"][0]["usd_per_million"]["input"] > 0


def test_processes_models_and_apis_are_listed(control: Control) -> None:
    assert control.call("GET", f"{API}/models")[2]["items"] == []
    assert control.call("GET", f"{API}/models/none")[0] == 404
    assert control.call("GET", f"{API}/apis")[2]["items"] == []
    assert control.call("GET", f"{API}/apis/none")[0] == 404
    assert control.call("GET", f"{API}/workers")[0] == 200
    assert control.call("GET", f"{API}/workers/scaling")[2]["why"] == "start"


def test_health_and_alerts_over_the_socket(control: Control) -> None:
    end = time.monotonic() + 30
    while control.call("GET", f"{API}/health")[0] != 200:
        assert time.monotonic() < end
        time.sleep(0.2)
    _, _, health = control.call("GET", f"{API}/health")
    assert health["box"]["of"] == "box" and health["upstreams"][0]["of"] == "ollama"
    assert control.call("GET", f"{API}/health/scores/ollama")[2]["score"] == 100
    assert control.call("GET", f"{API}/health/scores/nobody")[0] == 404
    assert control.call("GET", f"{API}/health/history?series=disk")[2]["samples"] == []
    assert control.call("GET", f"{API}/health/series")[0] == 200
    rules = control.call("GET", f"{API}/alert-rules")[2]["items"]
    assert "budget_ask" in [rule["name"] for rule in rules]
    body = {"rule": "disk", "seconds": 600, "reason": "the disk is being changed"}
    status, _, made = control.call("POST", f"{API}/alert-silences", body)
    assert status == 201
    assert control.call("GET", f"{API}/alert-silences")[2]["items"] == [made]
    assert control.call("DELETE", f"{API}/alert-silences/{made['id']}")[0] == 200
    assert control.call("DELETE", f"{API}/alert-silences/{made['id']}")[0] == 404
    assert control.call("GET", f"{API}/alerts?state=open&rule=disk")[2]["items"] == []
    assert control.call("GET", f"{API}/alerts/1")[0] == 404
    assert control.call("POST", f"{API}/alerts/1/acknowledge")[0] == 404
