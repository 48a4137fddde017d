"""One configured AI upstream: everything that a call to it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pihub.domain.ports import UpstreamFormat
from pihub.errors import BreakerOpen
from pihub.settings.schema import Pool, Timers
from pihub.shared.health import UpstreamHealth
from pihub.upstream.connector.origin import Origin

CHAT_PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "ollama": "/api/chat"}


JSON_BODY = ("content-type", "application/json")
ANTHROPIC_VERSION = ("anthropic-version", "2023-06-01")


@dataclass(frozen=True)
class Link:
    """`auth` holds the upstream's credential and is never logged or shown."""

    name: str
    kind: str
    format: UpstreamFormat
    origin: Origin
    base_path: str
    auth: tuple[tuple[str, str], ...]
    timers: Timers
    pool: Pool
    health: UpstreamHealth
    simulated: bool
    retries: int = 0
    """How often a call is repeated here before the chain goes on."""
    chat_path: str = ""
    """Of the upstream's chat endpoint, its base included."""
    faces: Mapping[str, Link] = field(default_factory=dict)
    """By the name of a client format that the upstream speaks at another endpoint than
    its chat: the same upstream as that format sees it."""

    def facing(self, client: str) -> Link:
        """This upstream for requests of a client format."""
        return self.faces.get(client, self)

    def pass_headers(self, forward: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
        """The header of a call whose body is the client's own; `forward` is from it too."""
        headers = [JSON_BODY, *self.auth, *forward]
        if self.kind == "anthropic" and not any(name == "anthropic-version" for name, _ in forward):
            headers.append(ANTHROPIC_VERSION)
        return headers

    def path(self, path: str) -> str:
        """`path` below the upstream's base, whether or not that ends in /v1."""
        if path.startswith("/v1/") and self.base_path.endswith("/v1"):
            path = path[3:]
        return self.base_path + path

    def resting(self) -> BreakerOpen:
        """Why it may not be called now, right after its breaker said so."""
        why = "was taken out by an admin" if self.health.held() else "is resting after failures"
        return BreakerOpen(f"{self.name} {why}", retry_after=self.health.retry_in() or None)

    def __repr__(self) -> str:
        return f"Link({self.name!r}, {self.kind!r})"


def chat_path(kind: str, base: str) -> str:
    """The chat endpoint below a base path, whether or not that ends in /v1."""
    path = CHAT_PATHS[kind]
    return base + (path[3:] if path.startswith("/v1/") and base.endswith("/v1") else path)


def auth_headers(kind: str, key: bytes | None) -> tuple[tuple[str, str], ...]:
    """The credential's header as the vendor documents it.

    Sources: Anthropic API reference (x-api-key), OpenAI API reference (Bearer).
    """
    if not key:
        return ()
    text = key.decode("ascii", "replace").strip()
    if kind == "anthropic":
        return (("x-api-key", text),)
    return (("authorization", f"Bearer {text}"),)
