"""What is known of one request's prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from pihub.domain.chat import Ask
from pihub.domain.http_fields import header_text
from pihub.domain.ports import ClientFormat
from pihub.domain.prompt_mode import PromptMode
from pihub.domain.target import Target
from pihub.gateway.prompts.restore import Restore


@dataclass(slots=True)
class Prompt:
    """Of a request whose key or model wants it judged. It has no text in its `repr`."""

    mode: PromptMode
    local: frozenset[str]
    """Upstreams of the house."""
    rules: Mapping[str, int] = field(default_factory=dict)
    """What was found, by rule: how often."""
    signs: tuple[str, ...] = ()
    """What only speaks of the prompt: `injection`, `hidden`."""
    unread: str = ""
    """Why a part could not be judged, so that it stays in the house."""
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the stand-ins in what goes out stand for."""
    sent: str = ""
    """What was done about it, in a word."""
    _body: bytes = field(default=b"", repr=False)
    _once: Callable[[], None] | None = field(default=None, repr=False)
    _ask: Ask | None = field(default=None, repr=False)

    @property
    def found(self) -> bool:
        """Something that could be taken out, or could not be judged."""
        return bool(self.rules or self.unread)

    @property
    def stays(self) -> bool:
        """It may be sent to upstreams of the house only."""
        if self.mode == "local-only":
            return self.found
        return self.mode == "redact-then-cloud" and bool(self.unread)

    def hide(self, body: bytes, once: Callable[[], None]) -> None:
        """`body` goes out of the house in place of the client's; `once` is called when it does
        for the first time."""
        self._body, self._once = body, once

    def hides_from(self, target: Target) -> bool:
        """Whether a target gets another body than the client sent."""
        return bool(self._body) and target.upstream not in self.local

    def outside(self) -> bytes:
        """That body, for a call that is made now."""
        once, self._once = self._once, None
        if once is not None:
            once()
        self.sent = "redacted"
        return self._body

    def asked(self, client: ClientFormat, now: Ask | None) -> Ask:
        """The canonical form of that body; `now`: of the client's own, which a second sample
        has changed. Raises BadRequest."""
        if self._ask is None:
            # A format of its own: what a stateful one remembers is the client's own words.
            self._ask = type(client)().parse(self._body)
        if now is None:
            return self._ask
        return msgspec.structs.replace(self._ask, seed=now.seed, temperature=now.temperature)

    def restore(self, target: Target) -> Restore | None:
        """What puts the values back into a target's answer; None if it saw them itself."""
        if not self.hides_from(target):
            return None
        wanted = None if self._ask is None else self._ask.response_format
        in_json = wanted is not None and wanted.kind != "text"
        return Restore(self.values, thinking=target.kind != "anthropic", in_json=in_json)

    def told(self, by: Target | None) -> str:
        """For the x-pihub-prompt header: `email=2, card=1; redacted`; empty: nothing to say.
        `by`: who answered; None: nobody did."""
        parts = [f"{rule}={n}" for rule, n in sorted(self.rules.items())] + list(self.signs)
        if self.unread and self.mode != "cloud-ok":
            parts.append("unread")
        if not parts:
            return ""
        sent = self.sent
        if self._body and by is not None and not self.hides_from(by):
            sent = "answered local"  # of the prompt as it is, whatever was sent before
        return header_text(", ".join(parts[:12]) + (f"; {sent}" if sent else ""))


def counted(rules: list[str]) -> Mapping[str, int]:
    return Counter(rules)
