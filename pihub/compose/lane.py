"""The lane of one worker: every plain chat's way, known before the first request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pihub.compose.offline import reached_by
from pihub.compose.routing import model_rules
from pihub.domain.ports import Waiter
from pihub.domain.pricing import Price, Rates
from pihub.domain.target import Target
from pihub.gateway.link import ANTHROPIC_VERSION, Link
from pihub.gateway.plain import PROTOCOLS, why_not_plain
from pihub.gateway.plan import PLAIN
from pihub.protocols.jsontext import encode
from pihub.settings.sizes import parse_size
from pihub.shared.httphead import request as request_head
from pihub.shared.lane import Lane, Way
from pihub.shared.machine import SHARE
from pihub.shared.memory import REFUSES
from pihub.shared.metrics import UpstreamColumn, upstream_column
from pihub.upstream.connector.connector import Connector

if TYPE_CHECKING:
    from pihub.app import Hub


def build_lane(
    hub: Hub,
    slot: int,
    waiter: Waiter,
    connector: Connector,
    links: Mapping[str, Link],
    routes: Mapping[str, int],
    unpriced: Callable[[Target], None],
    open_for: Callable[[Target], bool],
) -> Lane | None:
    """None if no chat is plain. `routes`: number of each protocol's chat route.

    RAM: 64 KiB a worker, and about 1 KiB a model name and protocol.
    """
    settings, state = hub.settings, hub.state
    lane = Lane(
        journal=state.journal(slot),
        counters=state.counters,
        upstreams=state.upstreams,
        temperature=settings.gateway.cache_temperature,
        limit=settings.limits.streams_per_worker,
        largest=parse_size(settings.limits.answer),
        max_header=parse_size(settings.limits.header),
        wait=waiter.wait,
        client_fd=waiter.client_fd,
        cache=state.cache,
        least_room=REFUSES,
        machine=state.machine.rows,
        share=SHARE,
    )
    rules, reached = model_rules(settings), reached_by(hub)
    some = False
    for name, chain in hub.models.chains():
        target = chain[0]
        link, price = links[target.upstream], hub.prices.find(target.kind, target.model)
        wanted = settings.prompts
        judged = {wanted.mode, wanted.of_model(settings, name)} != {"off"}
        for client in PROTOCOLS:
            if why_not_plain(
                settings, client, chain, link, price, rules.get(name, PLAIN), judged=judged
            ):
                continue
            way = _way(hub, connector, name, target, link, price, unpriced, open_for, reached)
            lane.add(routes[client], name.encode(), way)
            some = True
    return lane if some else None


def _way(
    hub: Hub,
    connector: Connector,
    name: str,
    target: Target,
    link: Link,
    price: Price | None,
    unpriced: Callable[[Target], None],
    open_for: Callable[[Target], bool],
    reached: Callable[[str], bool],
) -> Way:
    pool = connector.pool(link.origin, link.pool)
    row, number = hub.rows[target.upstream], hub.state.names.intern
    fields = link.pass_headers(())
    return Way(
        protocol=link.format.name,
        head=request_head("POST", link.chat_path, link.origin.host_line, fields, 0, b""),
        model=encode(target.model),
        version=ANTHROPIC_VERSION[1] if link.kind == "anthropic" else None,
        breakers=hub.state.breakers,
        row=row,
        calls=upstream_column(row, UpstreamColumn.CALLS),
        ok=upstream_column(row, UpstreamColumn.OK),
        take=pool.take_idle,
        release=pool.release,
        names=(number(target.model), number(target.upstream), number(name)),
        simulated=target.simulated,
        shown=target.shown,
        price=None if price is None else _rates(price),
        unpriced=lambda: unpriced(target),
        headers=link.timers.headers,
        total=link.timers.total,
        boards=(hub.state.spending, hub.state.wan),
        may=lambda: open_for(target) and reached(target.upstream),
    )


def _rates(price: Price) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
    def row(rates: Rates) -> tuple[int, ...]:
        return (
            rates.input, rates.output, rates.cache_read, rates.cache_write_5m,
            rates.cache_write_1h,
        )  # fmt: skip

    above = price.long_above if price.long_rates is not None else 0
    return row(price.rates), above, row(price.long_rates or price.rates)
