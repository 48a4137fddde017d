"""While nothing outside is reached, through the pipeline: which way each chat takes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pihub.domain.event import Reason
from pihub.errors import Internal, UpstreamUnreachable
from pihub.gateway.exchange import Exchange, Incoming
from pihub.gateway.offline import Later, Offline, OfflineRules, unreached
from pihub.gateway.pipeline import Pipeline
from pihub.gateway.plan import Rules
from pihub.gateway.route import Router
from pihub.protocols.responses.client import ResponsesClient
from pihub.shared.events import CacheState
from pihub.shared.metrics import Route
from pihub.shared.routing import Event
from pihub.shared.wan import Wan, WanState, publish
from tests.gateway.parts import header, ollama_stream, openai_whole, refusal
from tests.gateway.routed import RoutedBench

JOB = b'{"id":"job_1","object":"job"}'
Make = Callable[..., "House"]


class House(RoutedBench):
    """A bench with the offline mode; `oa` and `an` are outside."""

    def __init__(
        self,
        instead: str = "",
        queue: bool = False,
        takes: Any = (202, JOB),
        **more: Any,
    ) -> None:
        super().__init__(**{"chat": ("oa",), "here": ("ol",), **more})
        self.taken: list[Incoming] = []
        here = (self.target(instead),) if instead else ()
        self.offline = Offline(
            Wan(self.state.wan), frozenset({"ol"}), {"chat": OfflineRules(queue, here)},
            self.planner.only, self.lookup.stale, self.state, self.slot, retry_after=7,
        )  # fmt: skip

        def take(request: Incoming) -> tuple[int, bytes]:
            self.taken.append(request)
            if isinstance(takes, Exception):
                raise takes
            return takes  # type: ignore[no-any-return]

        stages = self.pipeline.stages
        values = {name: getattr(stages, name) for name in stages.__dataclass_fields__}
        values["route"] = Router(self.models, self.planner, self.thoughts, self.offline)
        values["later"] = Later(self.offline, None if takes is None else take)
        self.pipeline = Pipeline(type(stages)(**values))
        self.says("oa", lambda: openai_whole("from outside"))
        self.says("an", lambda: openai_whole("from outside"))
        self.says("ol", lambda: ollama_stream())

    def cut(self) -> None:
        publish(self.state.wan, WanState(offline=True))

    def mend(self) -> None:
        publish(self.state.wan, WanState(offline=False))

    def events(self) -> dict[str, int]:
        """Those of the offline mode."""
        found = {one.name.lower(): self.event(one) for one in Event}
        return {name: n for name, n in found.items() if name.startswith("offline") and n}


@pytest.fixture
def house() -> Iterator[Make]:
    made: list[House] = []

    def build(**more: Any) -> House:
        made.append(House(**more))
        return made[-1]

    yield build
    for bench in made:
        bench.assert_nothing_held()


def test_nothing_outside_is_tried(house: Make) -> None:
    bench = house()
    bench.cut()
    reply, body = bench.whole()
    assert reply.status == 503
    assert header(reply, "retry-after") == "7"
    assert "x-pihub-offline: queue" in json.loads(body)["error"]["message"]
    assert bench.connector.hosts == []
    assert bench.events() == {"offline_refused": 1}
    bench.mend()
    assert bench.whole()[0].status == 200
    assert bench.connector.hosts == ["oa"]


def test_a_first_target_of_the_house_answers_as_ever(house: Make) -> None:
    bench = house(chat=("ol", "oa"))
    bench.cut()
    reply, _ = bench.whole(temperature=0)
    assert header(reply, "x-pihub-reason") == "first choice"
    assert bench.events() == {}
    bench.mend()
    assert header(bench.whole(temperature=0)[0], "x-pihub-cache") == "HIT; canonical"
    bench.cut()
    bench.says("ol", refusal(500))
    assert bench.whole()[0].status == 502
    assert "oa" not in bench.connector.hosts


@pytest.mark.parametrize("more", [{"chat": ("oa", "ol")}, {"instead": "ol"}])
def test_what_a_local_model_says_instead_is_not_kept(house: Make, more: dict[str, Any]) -> None:
    bench = house(**more)
    bench.cut()
    reply, _ = bench.whole(temperature=0)
    assert header(reply, "x-pihub-reason") == "fallback after oa/gpt: offline"
    assert header(reply, "x-pihub-cache") == "MISS; offline"
    assert bench.connector.hosts == ["ol"]
    (record,) = bench.records()
    assert Reason(record.reason) is not Reason.FIRST_CHOICE
    event = "offline_instead" if "instead" in more else "offline_local"
    assert bench.events() == {event: 1}
    bench.mend()
    assert b"from outside" in bench.whole(temperature=0)[1]


def test_a_kept_answer_past_its_time_goes_first(house: Make) -> None:
    bench = house(ttl=0.1, chat=("oa", "ol"))
    bench.whole(temperature=0)
    bench.cut()
    _wait_past(bench)
    reply, body = bench.whole(temperature=0)
    assert header(reply, "x-pihub-cache").startswith("STALE; ")
    assert b"from outside" in body
    assert bench.events() == {"offline_stale": 1}
    assert bench.connector.hosts == ["oa"]


def _wait_past(bench: House) -> None:
    """Until what was just kept has run out."""
    end = time.monotonic() + 5
    while bench.whole(temperature=0, wish="only")[0].status == 200:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_cloud_only_leaves_no_model_instead(house: Make) -> None:
    bench = house(instead="ol", rules={"chat": Rules(policy="cloud-only")})
    bench.cut()
    assert bench.whole()[0].status == 503
    asked = house(instead="ol")
    asked.cut()
    request = asked.incoming()
    request.policy = "cloud-only"
    assert asked.pipeline.handle(request).status == 503


@pytest.mark.parametrize("client", ["openai", "anthropic", "ollama"])
def test_queued_by_header(house: Make, client: str) -> None:
    bench = house()
    bench.cut()
    request = bench.incoming(client, max_tokens=9)
    request.offline = " Queue "
    reply = bench.pipeline.handle(request)
    assert (reply.status, reply.body) == (202, JOB)
    assert header(reply, "location") == "/v1/jobs/job_1"
    assert header(reply, "x-pihub-reason") == "offline: queued"
    assert header(reply, "content-type") == "application/json"
    assert header(reply, "x-pihub-request-id") == request.rid_hex
    assert bench.taken[0].rid == request.rid and bench.taken[0].begun is None
    (record,) = bench.records()
    assert (record.status, Reason(record.reason)) == (202, Reason.QUEUED)
    assert record.cost_nano == 0
    assert bench.events() == {"offline_queued": 1}


def test_queued_by_the_model_unless_the_request_refuses(house: Make) -> None:
    bench = house(queue=True)
    bench.cut()
    reply, body = bench.whole(model="chat:latest")
    assert reply.status == 503, "a tag of Ollama's is no other model"
    error = json.loads(body)["error"]
    assert (error["code"], error["job"]) == ("offline_queued", "job_1")
    assert "GET /v1/jobs/job_1" in error["message"]
    assert header(reply, "location") == "/v1/jobs/job_1"
    assert header(reply, "x-should-retry") == "false" and "retry-after" not in dict(reply.headers)
    (record,) = bench.records()
    assert (record.status, Reason(record.reason)) == (503, Reason.QUEUED)
    assert bench.events() == {"offline_queued": 1}
    request = bench.incoming()
    request.offline = "refuse"
    assert bench.pipeline.handle(request).status == 503
    request = bench.incoming()
    request.offline = "maybe"
    assert bench.pipeline.handle(request).status == 400


def test_a_model_without_rules_of_its_own_queues_nothing(house: Make) -> None:
    bench = house(queue=True, far=("an",))
    bench.cut()
    assert bench.whole(model="far")[0].status == 503
    assert bench.taken == [] and bench.events() == {"offline_refused": 1}


def test_asking_again_within_one_outage_is_one_job(house: Make) -> None:
    """Clients that know no x-should-retry repeat a 503: what they ask is not paid for twice."""
    bench = house(queue=True)
    publish(bench.state.wan, WanState(offline=True, since=1.0))
    for text in ("one", "one", "two"):
        bench.whole(messages=[{"role": "user", "content": text}])
    publish(bench.state.wan, WanState(offline=True, since=2.0))
    bench.whole(messages=[{"role": "user", "content": "one"}])
    once = [request.once for request in bench.taken]
    assert once[0] == once[1] and len(set(once)) == 3
    request = bench.incoming()
    request.webhook = "mine"
    assert bench.pipeline.handle(request).status == 202, "its caller waits for a job's end"
    assert bench.taken[-1].once is None
    request = bench.incoming()
    request.once = "k"
    assert bench.pipeline.handle(request).status == 503
    assert bench.taken[-1].once == "k"


def test_jobs_that_are_switched_off_or_fail(house: Make) -> None:
    bench = house(queue=True, takes=None)
    bench.cut()
    assert bench.whole()[0].status == 503
    bench = house(queue=True, takes=Internal("no disk"))
    bench.cut()
    reply, body = bench.whole()
    assert reply.status == 500 and b"no disk" in body
    assert bench.events() == {}


def test_before_the_hub_knows_only_what_was_not_reached_is_queued(house: Make) -> None:
    bench = house(queue=True, chat=("oa", "an"))
    bench.says("oa", UpstreamUnreachable("no route"))
    bench.says("an", UpstreamUnreachable("no route"))
    assert b"offline_queued" in bench.whole()[1]
    bench.says("an", refusal(500))
    assert bench.whole()[0].status == 502, "it was reached, and may have worked on it"
    assert len(bench.taken) == 1


def test_an_answer_that_nobody_waits_for_is_neither_queued_nor_made_here(house: Make) -> None:
    """Else each kept answer past its time makes jobs that are paid for and thrown away."""
    bench = house(queue=True, instead="ol", ttl=0.1, meanwhile=100.0)
    bench.whole(temperature=0)
    _wait_past(bench)
    bench.cut()
    request = bench.incoming(temperature=0)
    request.offline = "queue"
    reply = bench.pipeline.handle(request)
    assert header(reply, "x-pihub-cache").startswith("STALE; stale-while-revalidate")
    spawned, bench.waiter.spawned = bench.waiter.spawned, []
    for work in spawned:
        work()
    assert bench.taken == []
    assert bench.connector.hosts == ["oa"], "only the first question"
    assert bench.records()[-1].cache == CacheState.MISS


@pytest.mark.parametrize("begun", [{}, {"lost": (1,)}, {"pieces": iter(())}, {"answer": 1}])
def test_what_has_begun_is_never_queued(house: Make, begun: dict[str, Any]) -> None:
    """It may be paid for, and its client may have seen some of it."""
    x = Exchange(house().incoming(), failures=("oa/gpt: upstream_unreachable",), **begun)
    assert unreached(x, UpstreamUnreachable("no route")) is (not begun)


def test_without_a_failure_nothing_says_that_the_line_is_down(house: Make) -> None:
    assert not unreached(Exchange(house().incoming()), Internal("a defect"))


def test_a_response_is_no_job(house: Make) -> None:
    """Its client would ask /v1/responses/ID for it, not /v1/jobs."""
    bench = house(queue=True)
    bench.cut()
    request = bench.incoming(body={"model": "chat", "input": "hello"})
    request.client, request.route = ResponsesClient(), Route.OPENAI_RESPONSES
    assert bench.pipeline.handle(request).status == 503
    assert bench.taken == []
