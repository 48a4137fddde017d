"""The chat pipeline with everything that routing adds, before hand-written upstreams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pihub.gateway.care import Care, RetryBudget
from pihub.gateway.context import ContextGuard
from pihub.gateway.learn import Learner
from pihub.gateway.outgoing import Outgoing
from pihub.gateway.pipeline import Pipeline, Stages
from pihub.gateway.plan import Planner, Rules
from pihub.gateway.route import Router
from pihub.gateway.turns import Lane, Turns
from pihub.shared.difficulty import load
from pihub.shared.routing import Cell, Event, LocalModel, LocalState, Speeds
from tests.gateway.parts import NDJSON, PRICES, Bench, FakeResponse

FAST = {Cell.PREFILL: 1000.0, Cell.DECODE: 100.0, Cell.OUTPUT: 50.0, Cell.LOAD: 3.0}


class RoutedBench(Bench):
    """`rules`: alias to Rules; `queue`: width and length before `ol`; `keys`: key policies."""

    def __init__(
        self,
        rules: Mapping[str, Rules] | None = None,
        *,
        queue: tuple[int, int] | None = None,
        patience_before: float = 60.0,
        hold: float = 0.0,
        keys: Mapping[int, str] | None = None,
        retry_share: float = 0.2,
        chain_seconds: float = 900.0,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self.speeds, self.local = Speeds(self.state), LocalState(self.state)
        lanes = {}
        if queue is not None:
            self.state.queues.configure(self.rows["ol"], *queue)
            lanes["ol"] = Lane(self.rows["ol"], patience_before, hold)
        local = frozenset({"ol"})
        self.turns = Turns(lanes, self.speeds, self.local, self.waiter, self.state, self.slot)
        self.planner = Planner(
            rules or {},
            local,
            frozenset(lanes),
            keys or {},
            self.speeds,
            self.local,
            self.turns,
            PRICES,
            load(),
            self.state,
            self.slot,
            chain_seconds=chain_seconds,
        )
        guard = ContextGuard(self.local, self.state, self.slot)
        retries = RetryBudget(retry_share)
        care = Care(self.turns, guard, retries, local, self.rows, self.state, self.slot)
        self.call._care = care
        self.call._request = Outgoing(care, None).__call__
        self.pipeline = Pipeline(
            Stages(
                admit=self.admit,
                inspect=self.stages.inspect,
                lookup=self.lookup,
                route=Router(self.models, self.planner, self.thoughts),
                call=self.call,
                render=self.render,
                remember=self.remember,
                record=self.record,
                thoughts=self.thoughts,
                learn=Learner(self.speeds, self.state, self.slot),
                tracking=self.stages.tracking,
            )
        )

    def knows(self, name: str = "ol", **cells: float) -> None:
        """Teach the figures of a target."""
        for cell, value in ({c.name: v for c, v in FAST.items()} | cells).items():
            self.speeds.put(self.target(name), Cell[cell], value, 8)

    def sees(self, model: LocalModel, name: str = "ol", free: int = 1 << 30) -> None:
        """What the control process would publish."""
        self.local.publish({self.target(name).name: model}, {"ol": free})

    def event(self, event: Event) -> int:
        return self.state.routing.total(event)


def ollama_says(
    text: str = "hi", *, prompt: int = 100, output: int = 50, load: float = 0.0, **message: Any
) -> FakeResponse:
    """A streamed answer with Ollama's durations: 1000 tokens/s in, 100 out."""
    head = {"model": "llama", "created_at": "2026-01-01T00:00:00Z"}
    one = {**head, "message": {"role": "assistant", "content": text, **message}, "done": False}
    last = {
        **head,
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        "total_duration": 2_000_000_000,
        "load_duration": int(load * 1e9),
        "prompt_eval_count": prompt,
        "prompt_eval_duration": prompt * 1_000_000,
        "eval_count": output,
        "eval_duration": output * 10_000_000,
    }
    return FakeResponse(*[json.dumps(line).encode() + b"\n" for line in (one, last)], kind=NDJSON)
