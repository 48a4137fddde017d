"""/models, /prices, /apis, /workers: what is in force, to be read."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pihub.domain.pricing import Price
from pihub.errors import NotFound
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Key, Page, PageQuery
from pihub.http.control.shapes import Output
from pihub.ops.catalog import ModelRow, Step, WorkerRow
from pihub.settings.schema import Api

MICRO = 1_000_000
"""A rate is micro-USD a million tokens."""


class RatesView(Output, frozen=True):
    """USD a million tokens; `long_above`: tokens of the prompt from which a dearer tier holds."""

    input: float
    output: float
    cache_read: float
    cache_write_5m: float
    cache_write_1h: float
    long_above: int | None


class PriceView(Output, frozen=True):
    """`model` `*`: every model of the kind that has no entry of its own."""

    kind: str
    model: str
    free: bool
    usd_per_million: RatesView


class StepView(Output, frozen=True):
    """`usd_per_million` null: no price is known, which is not free."""

    upstream: str
    kind: str
    model: str
    usd_per_million: RatesView | None


class ModelView(Output, frozen=True):
    name: str
    policy: str
    chain: list[StepView]


class ApiView(Output, frozen=True):
    name: str
    prefix: str
    url: str
    methods: list[str]
    auth: bool
    has_key: bool
    requests_per_minute: int | None
    retries: int
    cached: bool
    default_ttl: float
    paging: str
    """The parameter that carries the cursor of the next page; empty: the `Link` field."""


class WorkerView(Output, frozen=True):
    slot: int
    role: str
    pid: int
    age_s: float
    rss_bytes: int | None
    beat_age_s: float
    requests: int
    in_flight: int
    streams: int


class ScalingView(Output, frozen=True):
    """How many workers the arbiter keeps, and why it last changed that."""

    wanted: int | None
    min: int | None
    max: int | None
    why: str
    changed: int | None


class PriceQuery(PageQuery, frozen=True):
    kind: Annotated[str, Meta(max_length=40)] = ""
    model: Annotated[str, Meta(max_length=200, description="Part of the name")] = ""


def _rates(price: Price) -> RatesView:
    rates = price.rates
    return RatesView(
        input=rates.input / MICRO,
        output=rates.output / MICRO,
        cache_read=rates.cache_read / MICRO,
        cache_write_5m=rates.cache_write_5m / MICRO,
        cache_write_1h=rates.cache_write_1h / MICRO,
        long_above=price.long_above or None,
    )


def _step(one: Step) -> StepView:
    rates = None if one.price is None else _rates(one.price)
    return StepView(upstream=one.upstream, kind=one.kind, model=one.model, usd_per_million=rates)


def _model(row: ModelRow) -> ModelView:
    return ModelView(name=row.name, policy=row.policy, chain=[_step(one) for one in row.steps])


def _by_name(row: ModelView | ApiView) -> Key:
    return (row.name,)


def _models(call: Call) -> Page[ModelView]:
    rows = [_model(row) for row in call.services.offers.models()]
    return call.pager.whole(rows, _by_name)


def _one_model(call: Call) -> ModelView:
    for row in call.services.offers.models():
        if row.name == call.path["name"]:
            return _model(row)
    raise NotFound(f"there is no model {call.path['name'][:64]!r}")


def _prices(call: Call) -> Page[PriceView]:
    query: PriceQuery = call.query
    rows = [
        PriceView(kind=kind, model=model, free=price.free, usd_per_million=_rates(price))
        for kind, model, price in call.services.offers.prices.items()
        if query.kind in ("", kind) and query.model.lower() in model.lower()
    ]

    return call.pager.whole(rows, lambda row: (row.kind, row.model))


def _api(name: str, one: Api) -> ApiView:
    return ApiView(
        name=name,
        prefix=one.prefix,
        url=one.url,
        methods=list(one.methods),
        auth=one.auth,
        has_key=bool(one.api_key_env or one.api_key_file),
        requests_per_minute=one.requests_per_minute,
        retries=one.retries,
        cached=one.cache.enabled,
        default_ttl=one.cache.default_ttl,
        paging=one.paging.parameter if one.paging.next else "",
    )


def _apis(call: Call) -> Page[ApiView]:
    rows = [_api(name, one) for name, one in call.services.offers.apis().items()]
    return call.pager.whole(rows, _by_name)


def _one_api(call: Call) -> ApiView:
    name = call.path["name"]
    one = call.services.offers.apis().get(name)
    if one is None:
        raise NotFound(f"there is no API {name[:64]!r}")
    return _api(name, one)


def _worker(row: WorkerRow) -> WorkerView:
    return WorkerView(
        slot=row.slot,
        role=row.role,
        pid=row.pid,
        age_s=round(row.age, 1),
        rss_bytes=row.rss,
        beat_age_s=round(row.beat, 3),
        requests=row.requests,
        in_flight=row.in_flight,
        streams=row.streams,
    )


def _workers(call: Call) -> Page[WorkerView]:
    rows = [_worker(row) for row in call.services.offers.workers()]
    return call.pager.whole(rows, lambda row: (row.slot,))


def _scaling(call: Call) -> ScalingView:
    found = call.services.offers.scaling()
    return ScalingView(
        wanted=found.wanted, min=found.least, max=found.most, why=found.why, changed=found.at
    )


OPERATIONS = (
    Operation("GET", "/apis", "apis:read", "The generic APIs in force, without their secrets",
              _apis, Page[ApiView], query=PageQuery),
    Operation("GET", "/apis/{name}", "apis:read", "One generic API", _one_api, ApiView,
              errors=(NotFound,)),
    Operation("GET", "/models", "models:read", "The names that clients use, with chains and prices",
              _models, Page[ModelView], query=PageQuery),
    Operation("GET", "/models/{name}", "models:read", "One model with its chain", _one_model,
              ModelView, errors=(NotFound,)),
    Operation("GET", "/prices", "prices:read", "The price table in force",
              _prices, Page[PriceView], query=PriceQuery),
    Operation("GET", "/workers", "workers:read", "The hub's processes",
              _workers, Page[WorkerView], query=PageQuery),
    Operation("GET", "/workers/scaling", "workers:read",
              "How many workers there are to be, and why that changed last",
              _scaling, ScalingView),
)  # fmt: skip
