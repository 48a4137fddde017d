"""Embeddings through their pipeline: what a call that was given up has cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pihub.errors import ClientGone, UpstreamTimeout, UpstreamUnreachable
from pihub.gateway.direct import Direct, DirectStages
from pihub.gateway.embed import Embed
from pihub.gateway.exchange import Reply
from pihub.gateway.pipeline import Pipeline
from pihub.protocols.registry import EMBED_CLIENTS, EMBEDDERS
from tests.gateway.parts import Bench, FakeResponse

Make = Callable[..., "Desk"]


def vectors(tokens: int = 3) -> FakeResponse:
    body = {"object": "list", "model": "gpt", "usage": {"prompt_tokens": tokens},
            "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}]}  # fmt: skip
    return FakeResponse(json.dumps(body).encode())


class Desk(Bench):
    """`embed` asks for one vector."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**{"chat": ("oa", "oa2"), **more})
        direct = Direct(
            self.links, self.connector, self.state, self.slot, limit=1 << 20  # type: ignore[arg-type]
        )
        work = Embed(
            direct, {kind: make() for kind, make in EMBEDDERS.items()}, self.remember,
            self.answers, self.state, ttl=0.0,
        )  # fmt: skip
        parts = {name: getattr(self.stages, name) for name in self.stages.__dataclass_fields__}
        parts["patience"] = parts["later"] = None
        self.pipeline = Pipeline(
            DirectStages(**parts, inspects=work.inspect, works=work.__call__)
        )

    def embed(self, text: str = "x" * 400) -> Reply:
        request = self.incoming(body={"model": "chat", "input": text})
        request.client = EMBED_CLIENTS["/v1/embeddings"]()  # type: ignore[assignment]
        return self.pipeline.handle(request)


@pytest.fixture
def desk() -> Iterator[Make]:
    made: list[Desk] = []

    def build(**more: Any) -> Desk:
        made.append(Desk(**more))
        return made[-1]

    yield build
    for bench in made:
        bench.assert_nothing_held()


def test_what_was_answered_is_counted(desk: Make) -> None:
    bench = desk()
    bench.says("oa", vectors)
    assert bench.embed().status == 200
    (record,) = bench.records()
    assert (record.cost_nano, record.in_tok) == (3 * 1000, 3)


@pytest.mark.parametrize("given_up", [ClientGone("gone"), UpstreamTimeout("late", timer="idle")])
def test_a_call_that_was_given_up_costs_its_prompt(desk: Make, given_up: Exception) -> None:
    bench = desk(chat=("oa",))
    bench.says("oa", lambda: FakeResponse(given_up))
    assert bench.embed().status != 200
    (record,) = bench.records()
    assert record.in_tok > 90 and record.cost_nano == record.in_tok * 1000


def test_it_is_on_the_bill_of_the_target_that_answers_instead(desk: Make) -> None:
    bench = desk()
    bench.says("oa", lambda: FakeResponse(UpstreamTimeout("late", timer="idle")))
    bench.says("oa2", vectors)
    assert bench.embed().status == 200
    (record,) = bench.records()
    assert record.cost_nano > 90 * 1000 + 3 * 1000


def test_what_was_never_sent_costs_nothing(desk: Make) -> None:
    bench = desk()
    bench.says("oa", UpstreamUnreachable("no route"))
    bench.says("oa2", UpstreamTimeout("no connection", timer="connect"))
    assert bench.embed().status != 200
    (record,) = bench.records()
    assert record.cost_nano == 0
