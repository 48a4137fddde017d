"""What one chat request carries through the pipeline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from pihub.domain.cacheable import CacheWish
from pihub.domain.chat import Answer, Ask, Usage
from pihub.domain.collect import Collector
from pihub.domain.ports import ClientFormat, Piece
from pihub.domain.target import Principal, Target
from pihub.domain.whynot import WhyNot
from pihub.errors import PihubError
from pihub.shared.answers import Key, Stored
from pihub.shared.budgets import Hold
from pihub.shared.events import CacheState
from pihub.shared.lane import Begun
from pihub.shared.relay import Follower
from pihub.shared.streams import Live

if TYPE_CHECKING:
    from pihub.gateway.plan import Plan
    from pihub.gateway.prompts.prompt import Prompt
    from pihub.gateway.race import Racer
    from pihub.gateway.semantic import Look

NO_WISH = CacheWish()


@dataclass(slots=True)
class Reply:
    """What goes back: `body` is bytes, or an iterator of chunks with a `close`."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | Iterator[bytes]


@dataclass(slots=True)
class Incoming:
    """A chat request as the HTTP layer hands it over."""

    client: ClientFormat
    route: int
    body: bytes
    principal: Principal
    rid: int
    rid_hex: str
    t0_ns: int
    """CLOCK_MONOTONIC when the edge saw it."""
    client_fd: int = -1
    _: KW_ONLY  # header fields come untyped from the environ: a wrong place would go unseen
    exact: Key | None = None
    """The edge's key of the body's bytes."""
    wish_header: str | None = None
    forward: tuple[tuple[str, str], ...] = ()
    """Vendor headers that a same-protocol upstream gets (anthropic-beta, ...)."""
    begun: Begun | None = None
    """The first call, if the lane has begun it. Whoever goes on with it sets None."""
    address: str = ""
    """The client's, as the worker sees it; empty on a unix socket."""
    policy: str | None = None
    """x-pihub-policy"""
    deadline_ms: str | None = None
    """x-pihub-deadline-ms"""
    once: str | None = None
    """Idempotency-Key"""
    trace: tuple[tuple[str, str], ...] = ()
    """W3C trace context for the upstream, whatever its protocol."""
    coding: str | None = None
    """content-encoding of `body`, until the intake has undone it."""
    offline: str | None = None
    """x-pihub-offline"""
    webhook: str = ""
    """x-pihub-webhook"""


@dataclass(slots=True)
class Exchange:
    """The state of one request between the stages. Each stage says what it sets."""

    request: Incoming
    # inspect
    alias: str = ""
    """The model's name: the configuration's, if it knows it."""
    streams: bool = False
    temperature: float | None = None
    ask: Ask | None = None
    """The whole request; parsed when a stage needs it, see `parsed`."""
    wish: CacheWish = NO_WISH
    work: Any = None
    """What is asked, if it is no chat."""
    prompt: Prompt | None = None
    """What was found in it; None: nobody wants it judged."""
    # lookup
    cache: CacheState = CacheState.NONE
    cache_reason: str = ""
    key: Key | None = None
    stored: Stored | None = None
    refreshes: bool = False
    """Nobody waits for its answer: it replaces a kept one that is past its time."""
    meaning: Look | None = None
    """Its question, compared with others in other words (semantic.py)."""
    once: Key | None = None
    """Under which the answer is kept for the request's Idempotency-Key."""
    flights: list[int] = field(default_factory=list)
    """What it leads: whoever asks the same meanwhile follows."""
    live: Live | None = None
    """Its row in the table of live streams."""
    follows: Follower | None = None
    """The running answer of another request, which is its own too."""
    why: WhyNot = WhyNot.NONE
    """Why nothing was kept, where a stage knows it."""
    kept: int = 0
    """Bytes that its answer takes in the cache."""
    kept_ttl: float = 0.0
    # route
    targets: tuple[Target, ...] = ()
    plan: Plan | None = None
    """Only for requests that need more than their chain."""
    signed: dict[str, str] = field(default_factory=dict)
    """The conversation's signed thinking: signature to the model that made it, or empty."""
    pinned: bool = False
    """That model was put first."""
    hold: Hold | None = None
    """What the budgets hold for the call that is under way."""
    # call
    target: Target | None = None
    attempts: int = 0
    queued_ns: int = 0
    """Waited for a turn and for places in pools, in all attempts."""
    dialed_ns: int = 0
    """Spent on new connections, in all attempts."""
    stalls: int = 0
    failures: tuple[str, ...] = ()
    moved_on: PihubError | None = None
    """How the last target before the one that answered failed."""
    refused: bool = False
    """No target will take it, however often it is asked (negatives.py)."""
    lost: tuple[tuple[Target, Collector], ...] = ()
    """Parts of answers that targets gave before they failed: nobody sees them, but they
    are paid for."""
    drafts: bool = False
    """The answer is checked before anyone sees it."""
    waits: str = ""
    """What it is waiting for, in words."""
    stops: tuple[str, ...] = ()
    """Stop sequences that the upstream cannot watch for: the hub does."""
    passes: bool = False
    """The upstream's own bytes go to the client unchanged."""
    raw: bytes = b""
    """The upstream's own non-streamed body, if `passes`."""
    race: Racer | None = None
    """Its place, if this is one of two calls of a request (race.py)."""
    beside: tuple[Exchange, ...] = ()
    """Those calls' own exchanges: what they hold is freed when the request is over."""
    hedge: str = ""
    """After how long a second target was asked, in words."""
    hedge_won: bool = False
    """That one answered, though the first had not failed."""
    goes_on: bool = False
    """The answer may be received to its end although the client has left."""
    pieces: Iterator[Piece] | None = None
    answer: Answer | None = None
    ttft_us: int = 0
    # render and remember
    reply: Reply | None = None
    rendered: bytes = b""
    raw_stop: str = ""
    """The upstream's own word for why it stopped."""
    notes: tuple[str, ...] = ()
    """What of the request the upstream's protocol cannot carry and was dropped."""
    usage: Usage | None = None
    estimated: bool = False
    cost_nano: int = -1
    """Of the answer and of what was `lost`; -1 if any of it has no known price."""
    lost_nano: int = 0
    """The part of `cost_nano` that was lost."""
    saved_nano: int = 0
    # record
    error: PihubError | None = None
    bytes_out: int = 0
    client_gone: bool = False
    finished: bool = False
    """Everything held was freed and the record is written."""
    marks: list[int] = field(default_factory=list)
    """CLOCK_MONOTONIC ns at the end of each stage, in the pipeline's order."""

    @property
    def leads(self) -> bool:
        return bool(self.flights)

    def parsed(self) -> Ask:
        """The canonical form. Raises BadRequest and Unsupported."""
        if self.ask is None:
            self.ask = self.request.client.parse(self.request.body)
        return self.ask

    def waiting(self) -> str:
        """What it waits for, in words."""
        found = [one.waits for one in (self, *self.beside) if one.waits]
        return found[0] if found else "waiting"

    def drop_begun(self) -> None:
        """Nobody goes on with the lane's call: end it."""
        begun, self.request.begun = self.request.begun, None
        if begun is not None:
            begun.connection.discard()

    def elapsed_us(self) -> int:
        return (time.monotonic_ns() - self.request.t0_ns) // 1000


Stage = Callable[[Exchange], None]
