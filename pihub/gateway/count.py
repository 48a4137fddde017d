"""Anthropic's count_tokens: exact from Anthropic, an estimate from everyone else.

It never generates, costs nothing and takes every field of a message request. Source:
Anthropic API reference, "Count tokens in a Message".
"""

from __future__ import annotations

from pihub.errors import UpstreamError
from pihub.gateway.direct import Direct
from pihub.gateway.exchange import Exchange, Reply
from pihub.gateway.explain import explain
from pihub.gateway.link import Link
from pihub.protocols.anthropic import counting
from pihub.shared.events import CacheState


class Count:
    """`x-pihub-token-count` says whether the number is `exact` or an `estimate`."""

    def __init__(self, direct: Direct) -> None:
        self._direct = direct

    def inspect(self, x: Exchange) -> None:
        """Raises BadRequest."""
        x.ask = counting.parse(x.request.body)
        x.alias = x.ask.model

    def __call__(self, x: Exchange) -> None:
        x.cache, x.cache_reason = CacheState.BYPASS, "counting"
        target = x.targets[0]
        link = self._direct.links[target.upstream]
        number, how = self._exact(x, link, target.model), "exact"
        if number is None:
            number, how = counting.estimate(x.parsed()), "estimate"
        x.target, x.cost_nano = target, 0
        headers = [("content-type", "application/json"), ("x-pihub-token-count", how)]
        x.reply = Reply(200, [*headers, *explain(x)], counting.render(number))

    def _exact(self, x: Exchange, link: Link, model: str) -> int | None:
        """None if the upstream is not Anthropic's or does not answer."""
        if link.kind != "anthropic":
            return None
        body = x.request.body
        if x.prompt is not None and x.prompt.hides_from(x.targets[0]):
            body = x.prompt.outside()
        body = counting.request(body, model)
        headers = link.pass_headers(x.request.forward)
        try:
            return counting.read(self._direct.send(x, link, "POST", counting.PATH, headers, body))
        except UpstreamError as error:
            x.failures = (f"{link.name}: {error.code}",)
            return None
