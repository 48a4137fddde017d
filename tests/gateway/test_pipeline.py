"""The pipeline's promises: it never raises, frees everything, and records once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pihub.errors import BadRequest, ClientGone, Internal
from pihub.gateway.explain import header_text, nano_text
from pihub.gateway.pipeline import Pipeline
from pihub.shared.metrics import Column
from tests.gateway.parts import Bench, asking, header, openai_stream, openai_whole

Make = Callable[..., Bench]
STAGES = ("admit", "inspect", "lookup", "route", "call", "render", "remember")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("failure", [RuntimeError("secret"), BadRequest("no"), ClientGone("left")])
def test_a_stage_that_fails_leaves_nothing_behind(
    make: Make, stage: str, when: str, failure: Exception, stream: bool
) -> None:
    bench = make()
    bench.says("oa", openai_stream() if stream else openai_whole())
    real = getattr(bench.stages, stage)

    class Failing:
        """The stage, which fails before or behind its work."""

        def __call__(self, x: Any) -> None:
            if when == "after" or stage == "admit":
                real(x)
            raise failure

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    stages = dict(zip(STAGES, bench.stages.in_order(), strict=True))
    stages[stage] = Failing()
    bench.pipeline = Pipeline(type(bench.stages)(**stages, record=bench.record))
    reply, body = bench.whole(stream=stream, temperature=0)
    assert reply.status == {RuntimeError: 500, BadRequest: 400, ClientGone: 499}[type(failure)]
    assert "error" in json.loads(body) and b"secret" not in body
    (record,) = bench.records()
    assert record.status == reply.status
    order = 2 * STAGES.index(stage) + (when == "after")
    # A stream's cost is unknown, not nothing, before its renderer exists.
    priced = 2 * STAGES.index("render") + 1 if stream else 2 * STAGES.index("call") + 1
    if order >= priced:
        assert record.cost_nano > 0, "what was called is paid for"


def test_a_record_that_cannot_be_written_takes_no_answer_away(make: Make) -> None:
    bench = make()
    bench.says("oa", openai_whole())

    class Recorder:
        headers = staticmethod(bench.record.headers)

        def __call__(self, x: Any) -> None:
            raise OverflowError("too large for its field")

    stages = dict(zip(STAGES, bench.stages.in_order(), strict=True))
    bench.pipeline = Pipeline(type(bench.stages)(**stages, record=Recorder()))  # type: ignore[arg-type]
    assert bench.whole(temperature=0)[0].status == 200


def test_beyond_the_limit_is_refused_and_freed(make: Make) -> None:
    bench = make(limit=2)
    bench.says("oa", lambda: openai_stream())
    held = [bench.ask(stream=True) for _ in range(2)]
    reply, body = bench.whole()
    assert (reply.status, json.loads(body)["error"]["code"]) == (503, "overloaded")
    assert header(reply, "retry-after") == "1"
    held[0].body.close()  # type: ignore[union-attr]
    bench.says("oa", openai_whole())
    assert bench.whole()[0].status == 200
    held[1].body.close()  # type: ignore[union-attr]


def test_many_threads_leave_the_gauges_at_zero(make: Make) -> None:
    bench = make()
    bench.says("oa", lambda: openai_whole())
    threads = [
        threading.Thread(target=lambda: [bench.whole() for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert bench.count(Column.REQUESTS) == 200


@settings(max_examples=150)
@given(
    body=st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.floats(),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["model", "messages", "role", "content", "stream",
                                               "temperature", "max_tokens", "n"]),
                              inner, max_size=5),
            max_leaves=9,
        ),
    ),
    client=st.sampled_from(["openai", "anthropic", "ollama"]),
    wish=st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["off", "only", "ttl=5"])),
)  # fmt: skip
def test_no_body_and_no_wish_is_an_internal_error(body: Any, client: str, wish: str) -> None:
    bench = _shared()
    bench.says("oa", lambda: openai_whole())
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply, said = bench.whole(client, body=raw, wish=wish)
    assert reply.status in (200, 400, 404), said
    for name, value in reply.headers:
        assert name.isascii() and value.isascii() and value.isprintable()
    bench.assert_nothing_held()


_BENCHES: list[Bench] = []


def _shared() -> Bench:
    if not _BENCHES:
        _BENCHES.append(Bench())
    return _BENCHES[0]


@pytest.mark.parametrize("name", ["x" * 100_000, "mödel\r\nx-evil: 1", "\u0000", "мод"])
def test_strange_model_names(make: Make, name: str) -> None:
    bench = make()
    reply, body = bench.whole(body=asking(model=name))
    assert (reply.status, json.loads(body)["error"]["code"]) == (404, "model_not_found")
    assert len(body) < 2000
    assert all(value.isprintable() and value.isascii() for _, value in reply.headers)
    (record,) = bench.records()
    assert record.alias == 0, "the table of names must not be filled from outside"


def test_a_configured_name_beyond_ascii(make: Make) -> None:
    bench = make(chat=("oa/мод",))
    bench.says("oa", openai_whole())
    for state in ("MISS", "HIT"):
        reply, _ = bench.whole(temperature=0)
        assert header(reply, "x-pihub-route") == "oa/???"
        assert header(reply, "x-pihub-cache").startswith(state)


def test_a_full_table_of_names_is_no_fault(make: Make) -> None:
    bench = make()
    for number in range(bench.state.names.capacity + 1):
        bench.state.names.intern(f"name {number}")
    bench.says("oa", openai_whole())
    assert bench.whole(temperature=0)[0].status == 200
    (record,) = bench.records()
    assert record.model == record.upstream == 0


def test_an_overflowing_ring_is_counted_and_goes_on(make: Make) -> None:
    bench = make()
    capacity = bench.state.ring.capacity
    for _ in range(capacity + 10):
        bench.whole(body=b"{")
    cursor, lost, _ = bench.state.events.read(bench.slot, 0)
    assert 10 <= lost <= 11 and cursor > 10, "one place is the writer's"
    bench._cursor = bench.state.ring.head(bench.slot)


@given(st.text(max_size=400))
def test_header_text_is_safe(text: str) -> None:
    safe = header_text(text)
    assert len(safe) <= 300 and safe.isascii() and (safe.isprintable() or not safe)


@given(st.integers(min_value=0, max_value=10**18))
def test_nano_text_is_exact(nano: int) -> None:
    from decimal import Decimal

    assert Decimal(nano_text(nano)) * 10**9 == nano
    assert "." not in nano_text(nano) or not nano_text(nano).endswith(("0", "."))


def test_internal_is_not_retried_by_sdks() -> None:
    assert not Internal("x").retryable
