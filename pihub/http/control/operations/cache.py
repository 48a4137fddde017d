"""/cache: what it did, what it would do with another size, and how to purge it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from pihub.errors import BadRequest, Forbidden, NotFound, Overloaded
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Page, PageQuery, among
from pihub.http.control.shapes import Input, Output
from pihub.insight.cache_study import OTHERS, HotKey, Tally
from pihub.shared.cachepages import Fill
from pihub.shared.metrics import Route

HOT = 128
STALE = 1000


class SizeView(Output, frozen=True):
    """The cache at another size, by the look-ups of the last days."""

    size: float
    bytes: int
    hit_ratio: float
    saved_usd_per_day: float
    saved_seconds_per_day: float


class UseView(Output, frozen=True):
    """What it did for one route or tenant since the control process began."""

    name: str
    hits: int
    misses: int
    bypasses: int
    refusals: int
    kept: int
    kept_bytes: int
    saved_usd: float
    saved_seconds: float


class FillView(Output, frozen=True):
    """What lies in it. `name`: a tenant's number, or a model's or API's name."""

    name: str
    entries: int
    bytes: int
    stale: int


class WhyView(Output, frozen=True):
    """Requests of one route that were not answered or not kept, for one reason."""

    route: str
    why: str
    requests: int


class SemanticView(Output, frozen=True):
    """A model that has the semantic cache on or in the shadow. `looked`: questions that were
    to be embedded, and of them the shares `late` and `found` (the same question in other words
    had a kept answer). `compared`: those answers that the model's own were held against, in
    the shadow; `false_hit_ratio`: the share that said something else; null: none yet."""

    model: str
    mode: str
    threshold: float
    looked: int
    late_ratio: float
    found_ratio: float
    compared: int
    false_hit_ratio: float | None


class CacheView(Output, frozen=True):
    """`measured_hit_ratio` is of the same look-ups that `sizes` predict; null: none yet.
    `sample`: part of the keys that the prediction follows."""

    entries: int
    bytes: int
    capacity: int
    room: int
    max_value: int
    evicted: int
    measured_hit_ratio: float | None
    looks: float
    sample: float
    sizes: list[SizeView]
    why: list[WhyView]
    routes: list[UseView]
    tenants: list[UseView]
    by_tenant: list[FillView]
    by_tag: list[FillView]
    semantic: list[SemanticView]


class HotKeyView(Output, frozen=True):
    """A key that is asked for often; `requests` fades with a half-life of a day."""

    key: str
    tenant: int
    route: str
    model: str
    upstream: str
    requests: float
    hits: int
    saved_usd: float
    bytes: int
    last: float


class StaleView(Output, frozen=True):
    """Past its freshness, and for how many seconds it may still stand in."""

    past_s: int
    left_s: int
    tenant: int
    tag: str
    bytes: int


class PurgeBody(Input, frozen=True):
    """One of: `key` with `tenant`, `tag` (a model's or API's name), `tenant`, `all`."""

    key: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")] | None = None
    tenant: Annotated[int, Meta(ge=1, le=65535)] | None = None
    tag: Annotated[str, Meta(min_length=1, max_length=119)] | None = None
    all: bool = False


class PurgeView(Output, frozen=True):
    """`entries`: how many went; null where that is not counted (all at once)."""

    entries: int | None


def _uses(rows: Iterable[tuple[str, Tally]]) -> list[UseView]:
    return [
        UseView(
            name=name,
            hits=one.hits,
            misses=one.misses,
            bypasses=one.bypasses,
            refusals=one.refusals,
            kept=one.fills,
            kept_bytes=one.filled_bytes,
            saved_usd=one.saved_nano / 1e9,
            saved_seconds=one.saved_us / 1e6,
        )
        for name, one in rows
    ]


def _fills(rows: Iterable[tuple[str, Fill]]) -> list[FillView]:
    return [
        FillView(name=name, entries=one.entries, bytes=one.bytes, stale=one.stale)
        for name, one in rows
    ]


def _show(call: Call) -> CacheView:
    desk = call.services.cache
    fill, curve = desk.fill(), desk.study.curve()
    return CacheView(
        entries=fill["entries"],
        bytes=fill["bytes"],
        capacity=fill["capacity"],
        room=fill["room"],
        max_value=fill["max_value"],
        evicted=fill["evicted"],
        measured_hit_ratio=curve.measured,
        looks=curve.looks,
        sample=curve.sample,
        sizes=[
            SizeView(
                size=one.size,
                bytes=one.bytes,
                hit_ratio=one.hit_ratio,
                saved_usd_per_day=one.usd_a_day,
                saved_seconds_per_day=one.seconds_a_day,
            )
            for one in curve.points
        ],
        why=[
            WhyView(route=one.route.name.lower(), why=one.why.word, requests=one.requests)
            for one in desk.unkept()
        ],
        routes=_uses(
            (Route(number).name.lower(), one) for number, one in desk.study.by_route().items()
        ),
        tenants=_uses(
            ("others" if number == OTHERS else str(number), one)
            for number, one in desk.study.by_tenant().items()
        ),
        by_tenant=_fills((str(number), one) for number, one in desk.by_tenant().items()),
        by_tag=_fills(desk.by_tag().items()),
        semantic=[
            SemanticView(
                model=one.model,
                mode=one.mode,
                threshold=one.threshold,
                looked=one.seen.looked,
                late_ratio=round(one.seen.late, 6),
                found_ratio=round(one.seen.found, 6),
                compared=one.seen.compared,
                false_hit_ratio=None if one.seen.differed is None else round(one.seen.differed, 6),
            )
            for one in desk.semantic()
        ],
    )


def _keys(call: Call) -> Page[HotKeyView]:
    desk = call.services.cache

    def shown(one: HotKey) -> HotKeyView:
        return HotKeyView(
            key=f"{one.look:016x}",
            tenant=one.tenant,
            route=Route(one.route).name.lower(),
            model=desk.name(one.alias),
            upstream=desk.name(one.upstream),
            requests=round(one.count, 2),
            hits=one.hits,
            saved_usd=one.saved_nano / 1e9,
            bytes=one.bytes,
            last=one.last,
        )

    def key(row: HotKeyView) -> tuple[int | str, ...]:
        return (int(row.requests * 100), row.key, row.tenant)

    rows = [shown(one) for one in desk.study.hot(HOT, call.actor.tenant)]
    return call.pager.whole(rows, key, descending=True)


def _stale(call: Call) -> Page[StaleView]:
    found = call.services.cache.stale(STALE, call.actor.tenant)
    rows = list(enumerate(found))

    def shown(row: tuple[int, tuple[int, int, int, str, int]]) -> StaleView:
        past, left, tenant, tag, size = row[1]
        return StaleView(past_s=past, left_s=left, tenant=tenant, tag=tag, bytes=size)

    return call.pager.page(among(rows, lambda row: (row[0],)), lambda row: (row[0],), shown)


def _purge(call: Call) -> PurgeView:
    body: PurgeBody = call.body
    desk, own = call.services.cache, call.actor.tenant
    if own is not None and body.tenant != own:
        raise Forbidden("a user of one tenant purges what that tenant has: name it in `tenant`")
    if (body.tag is not None) + body.all + (body.key is not None or body.tenant is not None) != 1:
        raise BadRequest("purge one of: key with tenant, tag, tenant, all", param="key")
    if body.key is not None:
        if body.tenant is None:
            raise BadRequest("a key is purged of one tenant: name it", param="tenant")
        try:
            return PurgeView(entries=desk.purge_key(int(body.key, 16), body.tenant))
        except TimeoutError:
            raise Overloaded("a part of the cache is locked: try again") from None
    if body.tag is not None:
        if not desk.purge_tag(body.tag):
            raise NotFound(f"no model or API named {body.tag!r} was ever asked")
    elif body.tenant is not None:
        desk.purge_tenant(body.tenant)
    else:
        desk.purge_all()
    return PurgeView(entries=None)


OPERATIONS = (
    Operation(
        "GET",
        "/cache",
        "cache:read",
        "What the cache did and why not, and what another size would do",
        _show,
        CacheView,
    ),
    Operation(
        "GET",
        "/cache/keys",
        "cache:read",
        "The keys that are asked for most",
        _keys,
        Page[HotKeyView],
        query=PageQuery,
        tenanted=True,
    ),
    Operation(
        "GET",
        "/cache/stale",
        "cache:read",
        "Entries past their freshness that may stand in for a failing upstream",
        _stale,
        Page[StaleView],
        query=PageQuery,
        tenanted=True,
    ),
    Operation(
        "POST",
        "/cache/purge",
        "cache:write",
        "Forgets kept answers: of a key, a model or API, a tenant, or all",
        _purge,
        PurgeView,
        body=PurgeBody,
        errors=(BadRequest, Forbidden, NotFound, Overloaded),
        tenanted=True,
    ),
)
