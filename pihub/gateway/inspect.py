"""Stage 2: what is asked for; what is malformed goes no further.

The body is checked as JSON here. Its canonical form is made when a later stage needs it
(`Exchange.parsed`): a chat that passes through in its own protocol does not.
"""

from __future__ import annotations

from pihub.domain.cacheable import parse_wish
from pihub.gateway.exchange import Exchange


class Inspect:
    """Sets `wish`, `alias`, `streams` and `temperature`. Raises BadRequest."""

    def __call__(self, x: Exchange) -> None:
        if x.request.wish_header is not None:
            x.wish = parse_wish(x.request.wish_header)
        x.alias, x.streams, x.temperature = x.request.client.peek(x.request.body)
