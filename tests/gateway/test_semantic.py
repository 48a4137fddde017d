"""The semantic cache through the pipeline: what it serves, and what it must never serve."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pihub.demo.answers import vector
from pihub.domain.event import Reason
from pihub.domain.target import Target
from pihub.errors import ChainDeadline, ClientGone, LocalBusy, UpstreamError, UpstreamTimeout
from pihub.gateway.direct import Direct
from pihub.gateway.embedder import Embedder
from pihub.gateway.exchange import Exchange
from pihub.gateway.semantic import BESIDE, Semantic, SemanticRules
from pihub.insight.cache_desk import CacheDesk
from pihub.protocols.registry import EMBEDDERS
from pihub.shared.answers import group
from pihub.shared.cachepages import CachePages
from pihub.shared.meanings import Meanings, quantised
from pihub.shared.routing import Event, LocalModel, now_ms
from pihub.shared.semantic import SemanticBook
from tests.gateway.parts import FakeResponse, asking, header, openai_stream, openai_whole, refusal
from tests.gateway.routed import RoutedBench

EMBEDDER = Target("ol", "ollama", "nomic")
ONE = "What is the capital of France?"
SAME = "Tell me the capital of France, please."
Make = Callable[..., RoutedBench]


@pytest.fixture
def semantic() -> Iterator[Make]:
    made: list[RoutedBench] = []

    def build(
        serves: bool = True, threshold: float = 0.5, embed: Any = None, **more: Any
    ) -> RoutedBench:
        bench = RoutedBench(**{"chat": ("oa",), **more})
        bench.embedded = []  # type: ignore[attr-defined]

        def make(x: Exchange, target: Target, text: str, seconds: float) -> bytes:
            bench.embedded.append(text)  # type: ignore[attr-defined]
            return quantised(vector(text, 128))

        found = Semantic(
            {"chat": SemanticRules(serves, threshold, EMBEDDER, 0.5)},
            embed or make,
            Meanings(bench.state.cache, bench.state.arena.secret, 7),
            bench.answers,
            bench.state,
            bench.slot,
            bench.waiter.spawn,
        )
        bench.lookup._semantic = found
        bench.pipeline._last = (*bench.pipeline._last, found.learn)
        bench.says("oa", lambda: openai_whole("Paris."))
        made.append(bench)
        return bench

    yield build
    for bench in made:
        bench.assert_nothing_held()


def asks(bench: RoutedBench, text: str, client: str = "openai", **more: Any) -> tuple[str, str]:
    """What `x-pihub-cache` says, and the body."""
    at = {} if client == "ollama" else {"temperature": 0}
    reply, body = bench.whole(client, text=text, **{**at, **more})
    assert reply.status == 200, body
    return header(reply, "x-pihub-cache"), body.decode()


def test_the_same_question_in_other_words(semantic: Make) -> None:
    bench = semantic()
    assert asks(bench, ONE)[0] == "MISS; not-kept"
    said, body = asks(bench, SAME)
    assert said.startswith("HIT; semantic 0.")
    assert float(said.rpartition(" ")[2]) >= 0.5, "how near it was"
    assert "Paris." in body
    assert bench.connector.hosts == ["oa"]
    assert bench.event(Event.SEMANTIC_HIT) == 1
    assert bench.event(Event.SEMANTIC_MISS) == 1
    first, second = bench.records()
    assert Reason(second.reason) is Reason.CACHE_SEMANTIC
    assert (second.cost_nano, second.saved_nano) == (0, first.cost_nano)
    reply, _ = bench.whole(text=SAME, temperature=0)
    assert header(reply, "x-pihub-reason") == "kept answer to the same question in other words"


def test_in_any_protocol_streamed_or_not(semantic: Make) -> None:
    bench = semantic()
    bench.says("oa", lambda: openai_stream())
    asks(bench, ONE, stream=True, max_tokens=50)
    for client in ("openai", "anthropic", "ollama"):
        for stream in (False, True):
            more: dict[str, Any] = {"max_tokens": 50}
            if client == "ollama":
                more = {"options": {"temperature": 0, "num_predict": 50}}
            said, body = asks(bench, SAME, client, stream=stream, **more)
            assert said.startswith("HIT; semantic"), client
            assert "hi" in body


def test_a_model_that_does_not_wish_it_is_left_alone(semantic: Make) -> None:
    bench = semantic(plain=("oa",))
    assert asks(bench, ONE, model="plain")[0] == "MISS; not-kept"
    assert asks(bench, SAME, model="plain")[0] == "MISS; not-kept"
    assert bench.embedded == []  # type: ignore[attr-defined]


def test_nothing_is_learnt_of_what_was_not_kept_or_not_embedded(
    semantic: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = semantic()
    learnt: list[Any] = []
    monkeypatch.setattr(Meanings, "put", lambda self, *said: learnt.append(said))
    monkeypatch.setattr(bench.answers, "put", lambda *said: 0)  # the cache has no room
    asks(bench, ONE)
    assert learnt == []
    monkeypatch.undo()

    def busy(*said: Any) -> bytes:
        raise LocalBusy("its queue is full")

    bench = semantic(embed=busy)
    monkeypatch.setattr(Meanings, "put", lambda self, *said: learnt.append(said))
    asks(bench, ONE)
    assert learnt == []
    seen = SemanticBook(bench.state).seen("chat")
    assert (seen.looked, seen.late) == (1, 1.0), "it is said to be late"


def test_a_hit_leaves_no_copy_of_itself(semantic: Make) -> None:
    bench = semantic()
    asks(bench, ONE)
    before = bench.state.cache.stats()["entries"]
    asks(bench, SAME)
    assert bench.state.cache.stats()["entries"] == before


@pytest.mark.parametrize(
    "other",
    [
        "What is the capital of Germany?",
        "What is not the capital of France?",
        "What was the capital of France?",
        "What is the capital of France in 1940?",
        "Was ist die capital of France?",
        'What is the "capital" of France?',
    ],
)
def test_what_an_encoder_takes_for_the_same_is_guarded(semantic: Make, other: str) -> None:
    bench = semantic(embed=lambda *_: quantised([1.0, 2.0, 3.0]))  # all alike
    asks(bench, ONE)
    assert asks(bench, other)[0] == "MISS; not-kept"
    assert bench.event(Event.SEMANTIC_HIT) == 0


def test_similarity_is_asked_too(semantic: Make) -> None:
    vectors = iter([[1.0, 0.0], [0.6, 0.8]])
    bench = semantic(threshold=0.7, embed=lambda *_: quantised(next(vectors)))
    asks(bench, ONE)
    assert asks(bench, SAME)[0] == "MISS; not-kept"


@pytest.mark.parametrize(
    "more",
    [
        {"max_tokens": 7}, {"seed": 4}, {"top_p": 0.5}, {"stop": ["x"]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        {"response_format": {"type": "json_object"}},
        {"messages": [{"role": "system", "content": "Be rude."},
                      {"role": "user", "content": SAME}]},
        {"messages": [{"role": "user", "content": "Of Europe."},
                      {"role": "assistant", "content": "Go on."},
                      {"role": "user", "content": SAME}]},
        {"model": "talk"},
    ],
)  # fmt: skip
def test_all_else_must_be_equal(semantic: Make, more: dict[str, Any]) -> None:
    bench = semantic(talk=("oa",))
    asks(bench, ONE)
    body = {**asking(SAME, temperature=0), **more}
    reply, _ = bench.whole(body=body)
    assert header(reply, "x-pihub-cache") == "MISS; not-kept"


def test_the_same_earlier_turns_are_no_obstacle(semantic: Make) -> None:
    bench = semantic()
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Of Europe."},
             {"role": "assistant", "content": "Go on."}]  # fmt: skip
    for text, said in ((ONE, "MISS"), (SAME, "HIT; semantic")):
        body = asking(temperature=0)
        body["messages"] = [*turns, {"role": "user", "content": text}]
        reply, _ = bench.whole(body=body)
        assert header(reply, "x-pihub-cache").startswith(said)
    assert bench.embedded == [ONE, SAME]  # type: ignore[attr-defined]


def test_a_tag_of_ollamas_is_no_other_model(semantic: Make) -> None:
    bench = semantic()
    asks(bench, ONE)
    # The exact key has the name as it was said; in other words it is one model.
    assert asks(bench, SAME, model="chat:latest")[0] == "MISS; not-kept"
    assert bench.event(Event.SEMANTIC_MISS) == 2


def test_never_across_tenants(semantic: Make) -> None:
    bench = semantic()
    asks(bench, ONE)
    assert asks(bench, SAME, tenant=2)[0] == "MISS; not-kept"
    assert asks(bench, SAME, tenant=1)[0].startswith("HIT; semantic")


@pytest.mark.parametrize(
    ("more", "wish"),
    [({"temperature": 0.7}, None), ({"temperature": None}, None), ({"temperature": 0}, "off")],
)
def test_only_where_an_exact_answer_might_be_served(
    semantic: Make, more: dict[str, Any], wish: str | None
) -> None:
    bench = semantic()
    asks(bench, ONE)
    said, _ = asks(bench, SAME, wish=wish, **more)
    assert said.startswith("BYPASS")
    assert bench.embedded == [ONE], "and nothing is embedded for it"  # type: ignore[attr-defined]
    assert asks(bench, SAME, temperature=0.7, wish="ttl=60")[0] == "MISS; not-kept"


def test_images_and_results_of_tools_are_never_compared(semantic: Make) -> None:
    bench = semantic()
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    called = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    for messages in (
        [{"role": "user", "content": [{"type": "text", "text": ONE}, image]}],
        [{"role": "user", "content": ONE}, {"role": "assistant", "tool_calls": [called]},
         {"role": "tool", "tool_call_id": "c", "content": "Paris"}],
        [{"role": "user", "content": ONE}, {"role": "assistant", "tool_calls": [called]},
         {"role": "tool", "tool_call_id": "c", "content": "Paris"},
         {"role": "user", "content": ONE}],
        [{"role": "user", "content": ONE}, {"role": "assistant", "content": "Par"}],
    ):  # fmt: skip
        bench.whole(body={"model": "chat", "temperature": 0, "messages": messages})
    assert bench.embedded == []  # type: ignore[attr-defined]


# ---- it is a miss, never an error --------------------------------------------------


@pytest.mark.parametrize("error", [UpstreamTimeout("late", timer="total"), LocalBusy("full")])
def test_an_embedding_that_fails_is_a_miss(semantic: Make, error: Exception) -> None:
    def fails(*_: Any) -> bytes:
        raise error

    bench = semantic(embed=fails)
    for text in (ONE, SAME):
        assert asks(bench, text)[0] == "MISS; not-kept"
    assert bench.event(Event.SEMANTIC_LATE) == 2
    assert len(bench.connector.hosts) == 2


def test_a_client_that_leaves_meanwhile_has_left(semantic: Make) -> None:
    def gone(*_: Any) -> bytes:
        raise ClientGone("the client closed its connection")

    bench = semantic(embed=gone)
    assert bench.ask(text=ONE, temperature=0).status == 499
    assert bench.connector.hosts == []


def test_what_failed_or_was_not_kept_is_not_learnt(semantic: Make) -> None:
    bench = semantic()
    bench.says("oa", refusal(500), lambda: openai_whole(""), lambda: openai_whole("Paris."))
    bench.whole(text=ONE, temperature=0)
    asks(bench, ONE)  # an empty answer
    assert asks(bench, SAME)[0] == "MISS; not-kept"
    assert asks(bench, ONE)[0].startswith("HIT; semantic"), "now there is one"


@pytest.mark.parametrize("purge", ["key", "tag", "tenant", "all"])
def test_purges_reach_it(semantic: Make, purge: str) -> None:
    bench = semantic()
    asks(bench, ONE)
    (record,) = bench.records()
    pages = CachePages(bench.state.cache)
    {
        "key": lambda: bench.state.cache.sweep(1, group(record.look)),
        "tag": lambda: CacheDesk(bench.state, None).purge_tag("chat"),  # type: ignore[arg-type]
        "tenant": lambda: pages.purge_tenant(1),
        "all": pages.purge_all,
    }[purge]()
    assert asks(bench, SAME)[0] == "MISS; not-kept"


# ---- the shadow --------------------------------------------------------------------


def shadow(bench: RoutedBench) -> None:
    """The embedding that runs beside comes to its end."""
    while bench.waiter.spawned:
        bench.waiter.spawned.pop(0)()


def test_the_shadow_serves_nothing_and_measures(semantic: Make) -> None:
    bench = semantic(serves=False)
    for text, said in ((ONE, "Paris."), (SAME, "Paris."), ("capital of France?", "Lyon, I guess")):
        bench.says("oa", lambda said=said: openai_whole(said))  # type: ignore[misc]
        assert asks(bench, text)[0] == "MISS; not-kept"
        shadow(bench)
    assert bench.event(Event.SEMANTIC_HIT) == 0
    assert bench.event(Event.SEMANTIC_AGREED) == 1
    assert bench.event(Event.SEMANTIC_DIFFERED) == 1
    seen = bench.lookup._semantic._book.seen("chat")  # type: ignore[union-attr]
    assert (seen.looked, seen.compared, seen.differed) == (3, 2, 0.5)
    assert seen.found == pytest.approx(2 / 3)


def test_the_shadow_may_come_before_the_answer(
    semantic: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = semantic(serves=False)
    monkeypatch.setattr(bench.lookup._semantic, "_spawn", lambda work: work())
    asks(bench, ONE)
    asks(bench, SAME)
    assert bench.event(Event.SEMANTIC_AGREED) == 1


def test_the_shadow_does_not_compare_an_answer_with_itself(semantic: Make) -> None:
    bench = semantic(serves=False)
    asks(bench, ONE)
    asks(bench, ONE)
    shadow(bench)
    assert bench.event(Event.SEMANTIC_AGREED) == 0


def test_the_shadow_hurts_nobody(semantic: Make) -> None:
    def fails(*_: Any) -> bytes:
        raise RuntimeError("a defect")

    bench = semantic(serves=False, embed=fails)
    assert asks(bench, ONE)[0] == "MISS; not-kept"
    shadow(bench)
    assert bench.lookup._semantic._beside == 0  # type: ignore[union-attr]


def test_the_shadow_is_bounded(semantic: Make) -> None:
    bench = semantic(serves=False)
    for number in range(70):
        asks(bench, f"What is {number} plus {number}?")
    assert len(bench.waiter.spawned) == 64
    assert bench.event(Event.SEMANTIC_LATE) == 6
    shadow(bench)


# ---- the embedding itself ----------------------------------------------------------


def embedder(bench: RoutedBench) -> Embedder:
    direct = Direct(bench.links, bench.connector, bench.state, bench.slot, limit=1 << 20)  # type: ignore[arg-type]
    return Embedder(direct, bench.turns, EMBEDDERS["ollama"]())


def vectors(*found: list[float]) -> FakeResponse:
    return FakeResponse(json.dumps({"model": "nomic", "embeddings": found}).encode())


def test_the_embedding_asks_ollama(semantic: Make) -> None:
    bench = semantic()
    bench.says("ol", vectors([1.0, -2.0]))
    x = Exchange(bench.incoming())
    assert embedder(bench)(x, EMBEDDER, ONE, 0.5) == quantised([1.0, -2.0])
    ((host, path, _, body),) = bench.connector.calls
    assert (host, path) == ("ol", "/api/embed")
    assert json.loads(body) == {"model": "nomic", "input": [ONE]}
    assert x.attempts == 0, "it is no attempt to answer"


def test_a_late_embedding_says_nothing_against_ollama(semantic: Make) -> None:
    bench = semantic(failures=1)
    bench.says("ol", UpstreamTimeout("late", timer="headers"))
    for _ in range(3):
        with pytest.raises(UpstreamTimeout):
            embedder(bench)(Exchange(bench.incoming()), EMBEDDER, ONE, 0.5)
    assert bench.health("ol") == (0, 0)
    assert len(bench.connector.calls) == 3, "the breaker is closed"


def test_it_takes_a_turn_in_the_queue_until_its_deadline(semantic: Make) -> None:
    bench = semantic(queue=(1, 4))
    row = bench.rows["ol"]
    ticket = bench.state.queues.enter(row, 2, 99, 0, 5000, 0, now_ms())
    bench.state.queues.turn(row, ticket, now_ms())
    bench.says("ol", vectors([1.0]))
    with pytest.raises(ChainDeadline):
        embedder(bench)(Exchange(bench.incoming()), EMBEDDER, ONE, 0.01)
    assert bench.connector.calls == [], "Ollama was busy for another"
    assert bench.state.queues.load(row, now_ms())[0] == 0
    bench.state.queues.leave(row, ticket, now_ms())
    embedder(bench)(Exchange(bench.incoming()), EMBEDDER, ONE, 0.5)
    assert bench.state.queues.load(row, now_ms())[1] == 0


def test_it_waits_no_longer_for_a_model_than_its_deadline(semantic: Make) -> None:
    bench = semantic()
    bench.local.publish({EMBEDDER.name: LocalModel(loaded=False)}, {"ol": 0})
    with pytest.raises(ChainDeadline):
        embedder(bench)(Exchange(bench.incoming()), EMBEDDER, ONE, 0.01)
    assert bench.event(Event.LOAD_ASKED) == 1, "for the next question"


@pytest.mark.parametrize("found", [[], [[0.0, 0.0]], [[1.0], [1.0]]])
def test_no_vector_is_an_error_of_the_upstream(semantic: Make, found: list[list[float]]) -> None:
    bench = semantic()
    bench.says("ol", vectors(*found))
    with pytest.raises(UpstreamError):
        embedder(bench)(Exchange(bench.incoming()), EMBEDDER, ONE, 0.5)


def test_no_thread_is_left_for_the_shadow(semantic: Make) -> None:
    bench = semantic(serves=False)

    def none(work: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    found = bench.lookup._semantic
    assert found is not None
    found._spawn = none
    for number in range(BESIDE + 1):
        assert asks(bench, f"What is {number} in Roman numerals?")[0] == "MISS; not-kept"
    assert bench.event(Event.SEMANTIC_LATE) == BESIDE + 1
    assert found._beside == 0, "or the shadow would end for ever"
