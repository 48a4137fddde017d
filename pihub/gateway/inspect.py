"""Stage 2: bytes to canonical form; what is malformed goes no further."""

from __future__ import annotations

from pihub.domain.cacheable import parse_wish
from pihub.gateway.exchange import Exchange


class Inspect:
    """Sets `ask` and `wish`. Raises BadRequest and Unsupported."""

    def __call__(self, x: Exchange) -> None:
        x.wish = parse_wish(x.request.wish_header)
        x.ask = x.request.client.parse(x.request.body)
