"""/models/{name}/preview: what the router would do with a prompt, and why."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pihub.errors import NotFound
from pihub.gateway.preview import Option, Preview
from pihub.http.control.operation import Call, Operation
from pihub.http.control.shapes import Input, Output

NANO = 1e9
CAUSES = 6


class PreviewBody(Input, frozen=True):
    prompt: Annotated[str, Meta(min_length=1, max_length=100_000)]
    max_tokens: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


class OptionView(Output, frozen=True):
    """A target, in the order of trial; null: not known."""

    target: str
    local: bool
    state: str
    cost_usd: float | None
    predicted_ms: float | None


class CauseView(Output, frozen=True):
    what: str
    adds: float


class DifficultyView(Output, frozen=True):
    """`rank`: the share of known prompts that gain less by a strong model. `decides`: whether
    the model's policy asks for it."""

    verdict: str
    rank: float
    strong_share: float
    decides: bool
    looks_like: list[str]
    causes: list[CauseView]


class PreviewView(Output, frozen=True):
    model: str
    policy: str
    reason: str
    text: str
    prompt_tokens: int
    output_tokens: int
    targets: list[OptionView]
    difficulty: DifficultyView


def _option(one: Option) -> OptionView:
    return OptionView(
        target=one.target,
        local=one.local,
        state=one.state,
        cost_usd=None if one.cost_nano is None else one.cost_nano / NANO,
        predicted_ms=one.predicted_ms,
    )


def _shown(found: Preview) -> PreviewView:
    explained = found.difficulty
    hard = explained.rank >= 1 - found.strong_share
    return PreviewView(
        model=found.model,
        policy=found.policy,
        reason=found.reason,
        text=found.text,
        prompt_tokens=found.prompt_tokens,
        output_tokens=found.output_tokens,
        targets=[_option(one) for one in found.options],
        difficulty=DifficultyView(
            verdict="hard" if hard else "easy",
            rank=round(explained.rank, 4),
            strong_share=found.strong_share,
            decides=found.hard is not None,
            looks_like=[name for name, share in explained.experts[:3] if share > 0],
            causes=[
                CauseView(what=one.what, adds=round(one.adds, 5))
                for one in explained.causes[:CAUSES]
            ],
        ),
    )


def _preview(call: Call) -> PreviewView:
    name = call.path["name"]
    if call.actor.tenant is not None:
        tenant = next(
            (one for one in call.services.keys.tenants() if one.id == call.actor.tenant), None
        )
        if tenant is None or (tenant.models is not None and name not in tenant.models):
            raise NotFound(f"there is no model {name[:64]!r}")
    return _shown(call.services.router(name, call.body.prompt, call.body.max_tokens))


OPERATIONS = (
    Operation("POST", "/models/{name}/preview", "models:read",
              "What the router would do with a prompt, and why; nobody is called", _preview,
              PreviewView, body=PreviewBody, errors=(NotFound,), tenanted=True, alone=False,
              audited=False),
)  # fmt: skip
