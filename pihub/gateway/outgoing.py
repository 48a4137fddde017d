"""What a call sends: the client's own bytes for another model, or the canonical form."""

from __future__ import annotations

import msgspec

from pihub.domain.target import Target
from pihub.gateway.care import Care
from pihub.gateway.context import uncut
from pihub.gateway.exchange import Exchange
from pihub.gateway.link import JSON_BODY, Link
from pihub.gateway.promptcache import PromptCache
from pihub.gateway.thoughts import Thoughts

DEFAULT_MAX_TOKENS = 8192
"""For upstreams that demand a limit, where neither client nor configuration names one."""
THINKING = "thinking"
"""The note that another model's thoughts were left out."""


class Outgoing:
    """Makes the requests of one worker's calls. `passes` of the exchange is settled before,
    and taken back here where the request had to be changed."""

    def __init__(
        self,
        care: Care | None,
        prompt_cache: PromptCache | None,
        thoughts: Thoughts | None = None,
    ) -> None:
        self._care = care
        self._thoughts = thoughts
        self._prompt_cache = prompt_cache

    def __call__(
        self, x: Exchange, target: Target, link: Link, streams: bool
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        """(path, headers, body); sets `notes` and `stops`. Raises Unsupported, ContextExceeded."""
        prompt, request = x.prompt, x.request
        if prompt is None or not prompt.hides_from(target):
            return self._made(x, target, link, streams)
        body, ask = request.body, x.ask
        request.body, x.ask = prompt.outside(), prompt.asked(request.client, ask)
        try:
            made = self._made(x, target, link, streams)
        finally:
            request.body, x.ask = body, ask
        x.passes = False  # the answer's bytes hold stand-ins
        return made

    def _made(
        self, x: Exchange, target: Target, link: Link, streams: bool
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        own = lean = None
        if x.plan is not None and self._care is not None:
            own = self._care.ask(x, target)
        if x.signed and self._thoughts is not None:
            lean = self._thoughts.fit(x, target)
        x.passes = x.passes and own is None and lean is None
        if x.passes:
            body = link.format.patch_request(x.request.body, target.model, stream=streams)
            headers = link.pass_headers(x.request.forward)
            body = self._finish(x, target, link, body)
            return link.chat_path, [*headers, *x.request.trace], body
        # No target has both: only Ollama has a context to fit, and it gets no signed thinking.
        ask = own or lean or x.parsed()
        if ask.max_tokens is None and (target.max_tokens or link.kind == "anthropic"):
            limit = target.max_tokens or DEFAULT_MAX_TOKENS
            ask = msgspec.structs.replace(ask, max_tokens=limit)
        path, headers, body = link.format.request(ask, target.model, stream=streams)
        x.notes = link.format.notes(ask, target.model)
        if lean is not None and THINKING not in x.notes:
            x.notes = (*x.notes, THINKING)
        x.stops = link.format.unwatched(ask)
        body = self._finish(x, target, link, body)
        headers = [JSON_BODY, *headers, *link.auth, *x.request.trace]
        return link.path(path), headers, body

    def _finish(self, x: Exchange, target: Target, link: Link, body: bytes) -> bytes:
        if x.plan is not None and link.kind == "ollama":
            return uncut(body)
        if link.format.name == "anthropic" and self._prompt_cache is not None:
            return self._prompt_cache.mark(x, target, body)
        return body
