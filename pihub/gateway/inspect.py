"""Stage 2: what is asked for; what is malformed goes no further.

The body is checked as JSON here. Its canonical form is made when a later stage needs it
(`Exchange.parsed`): a chat that passes through in its own protocol does not.
"""

from __future__ import annotations

from collections.abc import Callable

from pihub.domain.cacheable import parse_wish
from pihub.errors import Forbidden
from pihub.gateway.exchange import Exchange
from pihub.gateway.prompts.guard import Guard
from pihub.shared.scopes import RESTRICTED, Scopes
from pihub.shared.streams import StreamTracker


class Inspect:
    """Sets `wish`, `alias`, `streams`, `temperature` and `prompt`. Raises BadRequest,
    RateLimited for one stream too many, and Forbidden for what a restricted key may not do:
    before any cache is asked."""

    def __init__(
        self,
        scopes: Scopes | None = None,
        streams: StreamTracker | None = None,
        guard: Guard | None = None,
        named: Callable[[str], str] = str,
    ) -> None:
        """`streams` knows how many a key has open; `guard` judges prompts; `named` is
        ModelTable's."""
        self._named = named
        self._guard = guard
        self._scopes = scopes
        self._streams = streams

    def __call__(self, x: Exchange) -> None:
        if x.request.wish_header is not None:
            x.wish = parse_wish(x.request.wish_header)
        x.alias, x.streams, x.temperature = x.request.client.peek(x.request.body)
        self.permit(x)
        if x.streams and self._streams is not None:
            self._streams.require(x.request.principal.key)

    def permit(self, x: Exchange) -> None:
        """Sets `prompt`, and `alias` to the configuration's name, by which restrictions, rules
        and purges go. Raises Forbidden for what a restricted key may not do."""
        x.alias = self._named(x.alias)
        principal = x.request.principal
        if principal.flags & RESTRICTED:
            if self._scopes is None:
                raise Forbidden("this API key is restricted")
            self._scopes.check_network(principal.key, x.request.address)
            self._scopes.check_model(principal.key, x.alias)
        if self._guard is not None:
            self._guard.check(x)
