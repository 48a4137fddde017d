"""Policies, predictions, queues, contexts and drafts, through the whole pipeline."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pihub.domain.target import Principal
from pihub.errors import UpstreamUnreachable
from pihub.gateway.plan import Rules
from pihub.shared.metrics import Series
from pihub.shared.routing import Cell, Event, LocalModel, now_ms
from tests.gateway.parts import FakeResponse, anthropic_whole, header, openai_whole
from tests.gateway.routed import RoutedBench, ollama_says

Make = Callable[..., RoutedBench]
CHAIN = {"chat": ("ol", "an")}


@pytest.fixture
def routed() -> Iterator[Make]:
    made: list[RoutedBench] = []

    def build(**more: Any) -> RoutedBench:
        bench = RoutedBench(**{**CHAIN, **more})
        bench.says("ol", lambda: ollama_says())
        bench.says("an", lambda: anthropic_whole("from above"))
        bench.says("oa", lambda: openai_whole())
        made.append(bench)
        return bench

    yield build
    for bench in made:
        bench.assert_nothing_held()
        assert bench.state.queues.load(bench.rows["ol"], 0)[:2] == (0, 0)


def code(body: bytes) -> str:
    found: str = json.loads(body)["error"]["code"]
    return found


def sent(bench: RoutedBench) -> dict[str, Any]:
    """The last call's body."""
    found: dict[str, Any] = json.loads(bench.connector.calls[-1][3])
    return found


# ---- policies ----------------------------------------------------------------------


def test_a_plain_model_has_no_plan(routed: Make) -> None:
    bench = routed()
    reply, _ = bench.whole()
    assert header(reply, "x-pihub-reason") == "first choice"
    assert "x-pihub-predicted-ms" not in dict(reply.headers)
    assert "truncate" not in sent(bench)


@pytest.mark.parametrize(
    ("policy", "host"),
    [("local-first", "ol"), ("quality", "an"), ("cheapest", "ol"), ("cloud-only", "an")],
)
def test_the_models_policy_decides(routed: Make, policy: str, host: str) -> None:
    bench = routed(rules={"chat": Rules(policy=policy)}, chat=("an", "ol"))
    reply, _ = bench.whole()
    assert bench.connector.hosts == [host]
    assert header(reply, "x-pihub-reason") == policy


def test_a_header_asks_for_another(routed: Make) -> None:
    bench = routed()
    request = bench.incoming()
    request.policy = "cloud-only"
    reply = bench.pipeline.handle(request)
    assert bench.connector.hosts == ["an"]
    assert header(reply, "x-pihub-reason") == "cloud-only"
    request = bench.incoming()
    request.policy = "best"
    reply = bench.pipeline.handle(request)
    assert reply.status == 400
    assert b"local-first" in reply.body  # type: ignore[operator]


def test_what_a_key_or_a_model_forbids_no_header_allows(routed: Make) -> None:
    bench = routed(keys={3: "local-only"})
    for policy in (None, "quality", "cloud-only"):
        request = bench.incoming()
        request.policy = policy
        bench.pipeline.handle(request)
    assert set(bench.connector.hosts) == {"ol"}
    bench.says("ol", UpstreamUnreachable("down"))
    reply, body = bench.whole()
    assert (reply.status, code(body)) == (502, "upstream_unreachable"), "and no way out"

    bench = routed(keys={3: "local-only"}, chat=("an",))
    reply, body = bench.whole()
    assert (reply.status, code(body)) == (403, "policy_refused")
    assert bench.connector.hosts == []
    request = bench.incoming()
    request.principal = Principal(key=4, tenant=1)
    assert bench.pipeline.handle(request).status == 200

    bench = routed(rules={"chat": Rules(policy="local-only")})
    request = bench.incoming()
    request.policy = "quality"
    bench.pipeline.handle(request)
    assert bench.connector.hosts == ["ol"]


def test_difficulty_reads_the_prompt(routed: Make) -> None:
    bench = routed(rules={"chat": Rules(policy="difficulty", strong_share=0.5)})
    reply, _ = bench.whole(text="What is the capital of France?")
    assert header(reply, "x-pihub-reason") == "difficulty: easy"
    reply, _ = bench.whole(
        text="Prove that there are infinitely many primes p such that p + 2 has at most "
        "two prime factors, and give all steps of the argument with the constants."
    )
    assert header(reply, "x-pihub-reason") == "difficulty: hard"
    assert bench.connector.hosts == ["ol", "an"]


# ---- predictions -------------------------------------------------------------------


def test_it_learns_from_ollamas_own_durations(routed: Make) -> None:
    bench = routed(rules={"chat": Rules(policy="local-first")})
    bench.says("ol", lambda: ollama_says(load=3.0))
    bench.whole(stream=True)
    figures = bench.speeds.figures(bench.target("ol"))
    assert figures.prefill == pytest.approx(1000)
    assert figures.decode == pytest.approx(100)
    assert figures.load == pytest.approx(3.0)
    assert figures.output == pytest.approx(50)
    reply, _ = bench.whole()
    assert int(header(reply, "x-pihub-predicted-ms")) > 400
    assert int(header(reply, "x-pihub-took-ms")) >= 0
    assert bench.state.latency.count(Series.PREDICTED) == 1
    assert bench.speeds.read(bench.target("ol"), Cell.ERROR)[1] == 1


def test_only_a_missed_deadline_goes_up(routed: Make) -> None:
    bench = routed(rules={"chat": Rules(policy="local-first", deadline_ms=2000)})
    bench.knows()  # about 0.5 s of output
    bench.sees(LocalModel(loaded=True))
    reply, _ = bench.whole()
    assert bench.connector.hosts == ["ol"]
    bench.sees(LocalModel(loaded=False))  # and 3 s of loading
    reply, body = bench.whole()
    assert bench.connector.hosts == ["ol", "an"]
    assert header(reply, "x-pihub-reason").startswith("deadline: ol/llama is predicted")
    assert b"from above" in body
    request = bench.incoming()
    request.deadline_ms = "60000"
    bench.pipeline.handle(request)
    assert bench.connector.hosts[-1] == "ol"
    assert bench.event(Event.DEADLINE_UP) == 1


def test_if_the_cloud_fails_the_late_local_answers(routed: Make) -> None:
    bench = routed(rules={"chat": Rules(deadline_ms=1)})
    bench.knows()
    bench.says("an", UpstreamUnreachable("down"))
    reply, _ = bench.whole()
    assert (reply.status, bench.connector.hosts) == (200, ["an", "ol"])


def test_a_bad_deadline_is_a_400(routed: Make) -> None:
    bench = routed()
    for text in ("soon", "-1", "0", "1e3", "99999999999"):
        request = bench.incoming()
        request.deadline_ms = text
        assert bench.pipeline.handle(request).status == 400


# ---- the queue ---------------------------------------------------------------------


def occupy(bench: RoutedBench, cost: int = 5000) -> int:
    row = bench.rows["ol"]
    ticket: int = bench.state.queues.enter(row, 2, 99, 0, cost, 0, now_ms())
    bench.state.queues.turn(row, ticket, now_ms())
    return ticket


def test_waiting_counts_into_the_prediction_and_sends_up(routed: Make) -> None:
    bench = routed(queue=(1, 4), rules={"chat": Rules(policy="local-first", deadline_ms=3000)})
    bench.knows()
    ticket = occupy(bench)
    bench.whole()
    assert bench.connector.hosts == ["an"]
    bench.state.queues.leave(bench.rows["ol"], ticket, 0)
    bench.whole()
    assert bench.connector.hosts == ["an", "ol"]


def test_it_waits_for_its_turn(routed: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = routed(queue=(1, 4))
    ticket = occupy(bench)
    sleep = bench.waiter.sleep

    def slept(seconds: float, *, client_fd: int = -1) -> None:
        sleep(seconds)
        if len(bench.waiter.slept) == 3:
            bench.state.queues.leave(bench.rows["ol"], ticket, 0)

    monkeypatch.setattr(bench.waiter, "sleep", slept)
    reply, _ = bench.whole()
    assert (reply.status, bench.connector.hosts) == (200, ["ol"])
    assert len(bench.waiter.slept) == 3
    assert bench.event(Event.QUEUED) == 1


def test_a_full_queue_moves_on_and_alone_says_when_to_come_back(routed: Make) -> None:
    bench = routed(queue=(1, 0))
    ticket = occupy(bench)
    reply, _ = bench.whole()
    assert bench.connector.hosts == ["an"]
    assert header(reply, "x-pihub-reason") == "fallback after ol/llama: local_busy"
    reply, body = bench.whole(model="ol/llama")
    assert (reply.status, code(body)) == (503, "local_busy")
    assert 1 <= int(header(reply, "retry-after")) <= 5
    assert bench.event(Event.QUEUE_FULL) == 2
    bench.state.queues.leave(bench.rows["ol"], ticket, 0)


def test_patience_ends(routed: Make) -> None:
    bench = routed(queue=(1, 4), patience_before=0.001)
    ticket = occupy(bench)
    bench.whole()
    assert bench.connector.hosts == ["an"]
    assert bench.event(Event.QUEUE_LATE) == 1
    bench.state.queues.leave(bench.rows["ol"], ticket, 0)


def test_a_client_that_leaves_gives_its_place_up(routed: Make) -> None:
    bench = routed(queue=(1, 4))
    ticket = occupy(bench)
    bench.waiter.gone = True
    bench.ask()
    assert bench.state.queues.load(bench.rows["ol"], now_ms())[0] == 0
    bench.waiter.gone = False
    bench.state.queues.leave(bench.rows["ol"], ticket, 0)


def test_a_stream_keeps_its_turn_until_its_end(routed: Make) -> None:
    bench = routed(queue=(1, 4))
    reply = bench.ask(stream=True)
    next(iter(reply.body))  # type: ignore[arg-type]
    assert bench.state.queues.load(bench.rows["ol"], now_ms())[1] == 1
    reply.body.close()  # type: ignore[union-attr]
    assert bench.state.queues.load(bench.rows["ol"], now_ms())[1] == 0


def test_a_swap_that_would_evict_a_conversation_is_refused(routed: Make) -> None:
    bench = routed(queue=(1, 4), hold=60.0, chat=("ol/other", "an"), talk=("ol",))
    bench.whole(model="talk")
    bench.sees(LocalModel(loaded=False, size=1 << 31), "ol/other")
    reply, _ = bench.whole()
    assert bench.connector.hosts == ["ol", "an"]
    assert header(reply, "x-pihub-reason") == "fallback after ol/other: model_held"
    bench.sees(LocalModel(loaded=False, size=1 << 20), "ol/other")  # it fits beside
    bench.whole()
    assert bench.connector.hosts == ["ol", "an", "ol"]


# ---- contexts ----------------------------------------------------------------------


LONG = "word " * 6000


def test_ollama_is_told_not_to_cut(routed: Make) -> None:
    bench = routed()
    bench.whole(text=LONG)
    assert sent(bench)["truncate"] is False
    bench.whole("ollama", text=LONG, stream=True)
    assert sent(bench)["truncate"] is False


def test_a_larger_context_where_memory_allows(routed: Make) -> None:
    bench = routed()
    bench.sees(LocalModel(loaded=True, context=4096, most=131072, cache_bytes=1000))
    bench.whole(text=LONG)
    assert sent(bench)["options"]["num_ctx"] == 10240
    bench.knows(CHARS=4.0)
    bench.whole("ollama", text=LONG, stream=True)
    assert sent(bench)["options"]["num_ctx"] == 10240
    assert bench.event(Event.CONTEXT_GROWN) == 2


@pytest.mark.parametrize(
    "seen",
    [
        LocalModel(loaded=True, context=4096, most=8192, cache_bytes=1000),
        LocalModel(loaded=True, context=4096, most=131072, cache_bytes=1_000_000),
    ],
)
def test_else_up_and_else_a_400(routed: Make, seen: LocalModel) -> None:
    bench = routed()
    bench.sees(seen)
    reply, _ = bench.whole(text=LONG)
    assert bench.connector.hosts == ["an"]
    assert header(reply, "x-pihub-reason") == "fallback after ol/llama: context_length_exceeded"
    reply, body = bench.whole(text=LONG, model="ol/llama")
    assert (reply.status, code(body)) == (400, "context_length_exceeded")
    assert bench.event(Event.CONTEXT_UP) == 2


def test_what_ollama_itself_refuses_is_the_same_400(routed: Make) -> None:
    bench = routed()
    refusal = b'{"error":"the input length exceeds the context length"}'
    bench.says("ol", lambda: FakeResponse(refusal, status=400))
    reply, body = bench.whole(text=LONG, model="ol/llama")
    assert (reply.status, code(body)) == (400, "context_length_exceeded")
    assert bench.health("ol") == (1, 0)


# ---- drafts ------------------------------------------------------------------------


DRAFTS = {"chat": Rules(verify=("empty", "refusal", "schema"))}


@pytest.mark.parametrize("stream", [False, True])
def test_a_good_draft_is_kept(routed: Make, stream: bool) -> None:
    bench = routed(rules=DRAFTS)
    reply, body = bench.whole(stream=stream)
    assert b"hi" in body
    assert header(reply, "x-pihub-reason") == "first choice; draft verified"
    assert bench.connector.hosts == ["ol"]
    assert bench.event(Event.DRAFT_KEPT) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", ["openai", "ollama"])
def test_a_bad_draft_is_seen_by_nobody(routed: Make, client: str, stream: bool) -> None:
    bench = routed(rules=DRAFTS, chat=("ol", "oa"))
    bench.says("ol", lambda: ollama_says("I'm sorry, but I cannot"))
    reply, body = bench.whole(client, stream=stream)
    assert b"sorry" not in body
    assert bench.connector.hosts == ["ol", "oa"]
    assert header(reply, "x-pihub-reason") == "fallback after ol/llama: draft_rejected (refusal)"
    assert bench.event(Event.DRAFT_REFUSAL) == 1
    assert bench.records()[-1].cost_nano >= 50_000, "the draft's tokens are on the bill"


def test_the_last_of_the_chain_is_no_draft(routed: Make) -> None:
    bench = routed(rules=DRAFTS, chat=("ol",))
    bench.says("ol", lambda: ollama_says("I'm sorry, but I cannot"))
    assert b"sorry" in bench.whole()[1]


def test_two_samples_that_disagree(routed: Make) -> None:
    bench = routed(rules={"chat": Rules(verify=("agreement",))})
    bench.says("ol", ollama_says("It is 41."), ollama_says("It is 42."))
    _, body = bench.whole()
    assert b"from above" in body
    assert bench.event(Event.DRAFT_AGREEMENT) == 1
    assert bench.connector.hosts == ["ol", "ol", "an"]
    bench.says("ol", ollama_says("It is 41."), ollama_says("it's 41"))
    bench.says("ol", ollama_says("The sum is 41."), ollama_says("41 is the sum."))
    assert b"The sum is 41." in bench.whole()[1]


# ---- failures ----------------------------------------------------------------------


def test_retries_are_a_share_of_the_calls(routed: Make) -> None:
    bench = routed(queue=(1, 4), retries=1, retry_share=0.01, chat=("ol",))
    bench.says("ol", UpstreamUnreachable("down"))
    for _ in range(30):
        bench.whole()
    retried, denied = bench.event(Event.RETRIED), bench.event(Event.RETRY_DENIED)
    assert 10 <= retried <= 11
    assert retried + denied == 30


def test_the_chain_has_a_deadline(routed: Make) -> None:
    bench = routed(queue=(1, 4), chain_seconds=0.0)
    reply, body = bench.whole()
    assert (reply.status, code(body)) == (504, "chain_deadline")
    assert bench.connector.hosts == []


def test_a_pause_that_an_upstream_asks_for_is_shared_and_never_shortened(routed: Make) -> None:
    bench = routed(rules={"chat": Rules(policy="quality")}, chat=("ol", "an"))
    busy = [("retry-after", "60")]
    bench.says("an", lambda: FakeResponse(b"{}", status=429, headers=busy))
    bench.whole()
    assert bench.connector.hosts == ["an", "ol"]
    other = RoutedBench(
        rules={"chat": Rules(policy="quality")}, chat=("ol", "an"), state=bench.state, slot=2
    )
    other.says("ol", lambda: ollama_says())
    other.whole()
    assert other.connector.hosts == ["ol"], "another worker leaves it alone, too"
    row = bench.rows["an"]
    until = bench.state.cooldowns.get(1, row)
    bench.says("an", lambda: FakeResponse(b"{}", status=429, headers=[("retry-after", "1")]))
    bench.state.cooldowns.set(1, row, 0)
    bench.state.cooldowns.set(2, row, until)
    bench.whole()
    assert bench.connector.hosts == ["an", "ol", "ol"]


def weighed(text: str, *chances: float) -> FakeResponse:
    """A streamed answer of Ollama whose words have these log probabilities."""
    response = ollama_says("")
    head, last = response.chunks
    words = [
        {
            **json.loads(bytes(head)),  # type: ignore[arg-type]
            "message": {"role": "assistant", "content": word},
            "logprobs": [{"token": word, "logprob": chance}],
        }
        for word, chance in zip(re.findall(r"\S+\s*", text), chances, strict=True)
    ]
    response.chunks = [*(json.dumps(line).encode() + b"\n" for line in words), last]
    return response


FLOOR = {"chat": Rules(verify=("logprob",), floor=-1.0)}


@pytest.mark.parametrize("stream", [False, True])
def test_an_unsure_draft_goes_up(routed: Make, stream: bool) -> None:
    bench = routed(rules=FLOOR)
    bench.says("ol", lambda: weighed("a b c", -0.2, -1.9, -0.3))
    reply, body = bench.whole(stream=stream)
    assert sent(bench)["logprobs"] is True
    assert header(reply, "x-pihub-reason").endswith("draft verified")
    assert b"logprob\"" not in body and b'"token"' not in body, "nobody asked for them"
    bench.says("ol", lambda: weighed("a b c", -0.9, -1.9, -0.3))
    reply, body = bench.whole(stream=stream)
    assert bench.connector.hosts[-1] == "an" and b"from above" in body
    assert header(reply, "x-pihub-reason") == "fallback after ol/llama: draft_rejected (logprob)"
    assert (bench.event(Event.DRAFT_KEPT), bench.event(Event.DRAFT_LOGPROB)) == (1, 1)
    assert bench.records()[-1].cost_nano >= 50_000, "the draft's tokens are on the bill"


def test_who_asks_for_logprobs_gets_them_checked_or_not(routed: Make) -> None:
    bench = routed(rules=FLOOR)
    bench.says("ol", lambda: weighed("a b", -0.25, -0.5))
    _, body = bench.whole(logprobs=True)
    told = json.loads(body)["choices"][0]["logprobs"]["content"]
    assert [one["logprob"] for one in told] == [-0.25, -0.5]


def test_an_upstream_without_logprobs_is_not_judged_by_them(routed: Make) -> None:
    bench = routed(rules=FLOOR)
    reply, _ = bench.whole()
    assert header(reply, "x-pihub-reason").endswith("draft verified")


def test_the_checks_buy_quality_for_a_share_of_the_calls(routed: Make) -> None:
    """Forty drafts of which twelve are wrong, as a small model is: unsure, or not itself."""
    right = [(("Rome is it", -0.1 - n / 100, -0.2, -0.1),) * 2 for n in range(28)]
    unsure = [(("Oslo is it", -2.0, -1.0 - n / 10, -0.8),) * 2 for n in range(6)]
    fickle = [(("Bern is it", -0.3, -0.2, -0.4), (f"Paris was {n}", -0.3, -0.2, -0.4))
              for n in range(6)]  # fmt: skip
    bench = routed(rules={"chat": Rules(verify=("logprob", "agreement"), floor=-1.0)})
    answers = []
    for n, (draft, again) in enumerate([*right, *unsure, *fickle]):
        bench.says("ol", weighed(*draft), weighed(*again))
        _, body = bench.whole(text=f"question {n}")
        answers.append(body)
    assert sum(b"Rome is it" in body for body in answers) == 28, "all right drafts were kept"
    assert sum(b"from above" in body for body in answers) == 12, "all wrong ones went up"
    assert bench.event(Event.DRAFT_LOGPROB) == bench.event(Event.DRAFT_AGREEMENT) == 6


def test_a_tag_of_ollamas_takes_no_restriction_away(routed: Make) -> None:
    """Ollama's clients put `:latest` behind a name that has no tag."""
    bench = routed(rules={"chat": Rules(policy="local-only")}, chat=("an", "ol"))
    for client in ("ollama", "openai"):
        reply, _ = bench.whole(client, model="chat:latest")
        assert header(reply, "x-pihub-reason") == "local-only"
    assert bench.connector.hosts == ["ol", "ol"]
    request = bench.incoming(model="chat:latest")
    request.policy = "cloud-only"
    assert bench.pipeline.handle(request).status == 403
