"""Which chats may take the lane: the one predicate, one reason a line.

The lane (docs/design/edge.md) answers without the pipeline's stages. So whatever a stage
does beyond passing a chat on must be said here, or that chat would slip past it:

* what the configuration decides, in `why_not_plain`;
* what changes while a worker lives, by a board and a question in compose/lane.py: the
  question is asked again whenever something was published on the board;
* what a key decides, by any flag of the key (but the quota's, which is the edge's own);
* what a request says: any X-Pihub-Cache, X-Pihub-Policy, X-Pihub-Deadline-Ms or
  Anthropic-Beta header, and a body that is more than include/ph_lane.h reads or that asks
  for thinking, go to the pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence

from pihub.domain.pricing import Price
from pihub.domain.target import Target
from pihub.gateway.link import Link
from pihub.gateway.plan import PLAIN, Rules
from pihub.settings.schema import Settings
from pihub.shared.lane import LIMIT_RATE

PROTOCOLS = ("openai", "anthropic")
"""Ollama's whole answers are always made of a stream, which is the pipeline's work."""


def why_not_plain(
    settings: Settings,
    client: str,
    chain: Sequence[Target],
    link: Link,
    price: Price | None,
    rules: Rules = PLAIN,
    *,
    judged: bool = False,
) -> str:
    """Why chats of the protocol `client` to this chain need the pipeline; empty: they do not.

    `link` and `price` are the first target's. `judged`: whatever the key, prompts to this
    model are looked at.
    """
    if not settings.gateway.lane:
        return "gateway.lane is off"
    if client not in PROTOCOLS or client != link.format.name:
        return "client and upstream speak different protocols"
    if link.origin.scheme == "https":
        return "the connection is encrypted"
    if settings.routing.key_policies:
        return "a key has a policy"
    if judged:
        return "its prompts are judged"
    if any(settings.upstreams[target.upstream].queue.parallel for target in chain):
        return "an upstream has a queue"
    if not rules.plain:
        return "the model's routing is more than its chain"
    if price is not None and price.free:
        return "what a free model costs and saves is not its price"
    if price is not None and _highest(price) >= LIMIT_RATE:
        return "its price is beyond the lane's arithmetic"
    return ""


def _highest(price: Price) -> int:
    both = (price.rates, price.long_rates or price.rates)
    return max(int(getattr(r, field)) for r in both for field in r.__struct_fields__)
