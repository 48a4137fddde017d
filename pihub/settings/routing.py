"""How targets are chosen: a model's policy, an upstream's queue, and [routing]."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pihub.settings.section import Positive, Seconds, Section

Policy = Literal[
    "chain", "local-first", "cheapest", "fastest", "quality", "weighted", "difficulty",
    "local-only", "cloud-only",
]  # fmt: skip


class Queue(Section, frozen=True):
    """Before an upstream that serves few requests at a time, as Ollama on a Pi does."""

    parallel: Annotated[int, msgspec.Meta(ge=0, le=16)] = 0
    """Requests at once, of all workers together; 0: no queue."""
    length: Annotated[int, msgspec.Meta(ge=0, le=112)] = 16
    """Requests that wait, at most."""
    patience: Seconds = 300.0
    hold: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    """Seconds after its last request for which a loaded model is not swapped for another."""


class ModelRouting(Section, frozen=True, kw_only=True):
    """The part of a model's section that says how its targets are chosen."""

    policy: Policy = "chain"
    deadline_ms: Positive | None = None
    """Go up from a local target only if its predicted time is longer than this."""
    weights: list[Annotated[float, msgspec.Meta(ge=0)]] = []
    """For `weighted`: one a target, in the chain's order."""
    strong_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    """For `difficulty`: the share of prompts for the strongest target."""
    offline: Literal["refuse", "queue"] = "refuse"
    """While the hub is offline and no local model may answer: an error, or a job."""
    offline_model: str = ""
    """A model whose local targets answer while the hub is offline, if no own target is local."""
    verify: list[str] = []
    """Checks of a local draft; if one fails, the next target answers."""
    verify_floor: Annotated[float, msgspec.Meta(ge=-100, le=0)] = -1.0
    """For `logprob`: the least mean log probability of a draft's tokens."""
    hedge_after_ms: Positive | Literal["auto"] | None = None
    """Ask a second target too if the first has given no content by then."""


class Routing(Section, frozen=True):
    retry_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.2
    """Retries, at most, as a share of the calls."""
    hedge_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.05
    """Hedged calls, at most, as a share of those that may be hedged."""
    chain_seconds: Seconds = 900.0
    """For all targets of a chain together, until the first token."""
    key_policies: list[str] = []
    """`NUMBER=policy`: what a key may, by the number that `pihub keys list` shows."""
    warm: Annotated[float, msgspec.Meta(ge=0, le=10000)] = 4.0
    """Requests an hour, by the use of other days, from which on a local model is kept ready;
    0: never."""
    difficulty: bool = True
    """Keep the weights loaded (65 KiB), so that `x-pihub-policy: difficulty` works anywhere."""
