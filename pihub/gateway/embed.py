"""Embeddings: whichever of the two protocols asks, whichever upstream has the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pihub.domain.chat import Ask, Usage
from pihub.domain.embed import EmbedAsk
from pihub.domain.http_fields import header_text
from pihub.domain.ports import EmbedClient, EmbedUpstream
from pihub.domain.target import Target
from pihub.domain.whynot import WhyNot
from pihub.errors import Unsupported, UpstreamProtocol
from pihub.gateway.direct import Direct
from pihub.gateway.exchange import Exchange, Reply
from pihub.gateway.explain import explain
from pihub.gateway.link import JSON_BODY, Link
from pihub.gateway.remember import CHARS_PER_TOKEN, Remember
from pihub.shared.answers import AnswerCache, Wire
from pihub.shared.events import CacheState
from pihub.shared.state import SharedState


class Embed:
    """Parses, calls and renders. The same bytes asked again are answered by the edge:
    vectors of one model are always the same."""

    def __init__(
        self,
        direct: Direct,
        embedders: Mapping[str, EmbedUpstream],
        remember: Remember,
        answers: AnswerCache,
        state: SharedState,
        *,
        ttl: float,
    ) -> None:
        self._direct = direct
        self._embedders = embedders
        self._remember = remember
        self._answers = answers
        self._names = state.names.intern
        self._ttl = ttl

    def inspect(self, x: Exchange) -> None:
        """Raises BadRequest."""
        ask = cast(EmbedClient, x.request.client).parse_embed(x.request.body)
        x.work, x.alias = ask, ask.model
        # Budgets and estimates read a chat's fields: a prompt, and no answer to speak of.
        x.ask = Ask(model=ask.model, messages=(), max_tokens=1)

    def __call__(self, x: Exchange) -> None:
        x.cache, x.cache_reason = CacheState.MISS, "not-kept"
        x.key = x.request.exact
        self._direct.along(x, lambda target, link: self._attempt(x, target, link))
        if x.usage is None:
            x.estimated = True
            x.usage = Usage(input=max(1, len(x.request.body) // CHARS_PER_TOKEN))
        self._remember.price(x)
        headers = [("content-type", "application/json"), *explain(x)]
        x.reply = Reply(200, headers, x.rendered)
        self._keep(x)

    def _attempt(self, x: Exchange, target: Target, link: Link) -> bool:
        client, ask = cast(EmbedClient, x.request.client), cast(EmbedAsk, x.work)
        form = self._embedders.get(link.kind)
        if form is None:
            raise Unsupported("Anthropic has no embeddings: name another model", param="model")
        own = form.path == client.path
        sent = x.request.body
        if x.prompt is not None and x.prompt.hides_from(target):
            sent = x.prompt.outside()
            ask = client.parse_embed(sent)
        if own:
            body, x.notes = form.patch(sent, target.model), ()
        else:
            body, x.notes = form.request(ask, target.model), form.notes(ask)
        raw = self._direct.send(x, link, "POST", form.path, [JSON_BODY, *link.auth], body)
        if own:
            tokens, x.rendered = form.glance(raw), raw
        else:
            answer = form.read(raw)
            if len(answer.vectors) != len(ask.inputs):
                raise UpstreamProtocol(f"{link.name} gave another number of vectors than asked")
            tokens, x.rendered = answer.tokens, client.render_embed(answer, ask)
        x.ttft_us = x.elapsed_us()
        x.usage = None if tokens is None else Usage(input=tokens)
        return own

    def _keep(self, x: Exchange) -> None:
        target, usage = x.target, x.usage
        if x.request.exact is None or x.request.wish_header is not None or x.notes:
            return
        if x.prompt is not None:
            return  # the edge would answer without looking at the prompt
        assert target is not None
        assert usage is not None
        if self._ttl <= 0 or len(x.rendered) > self._remember.max_value:
            x.why = WhyNot.TOO_LARGE
            return
        wire = Wire(
            "application/json",
            [
                ("x-pihub-route", header_text(target.name)),
                ("x-pihub-model", header_text(target.model)),
                ("x-pihub-reason", "kept answer"),
                *([("x-pihub-simulated", "1")] if target.simulated else []),
            ],
            x.rendered,
            self._names(target.model),
            self._names(target.upstream),
            self._names(x.alias),
            False,
            max(x.cost_nano, 0),
            usage.input,
            0,
            target.simulated,
            x.request.exact[0],
        )
        tenant = x.request.principal.tenant
        x.kept = self._answers.put_wire(x.request.exact, tenant, wire, self._ttl)
        x.kept_ttl = self._ttl
