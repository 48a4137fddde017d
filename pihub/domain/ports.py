"""The seams: what one layer asks of another, as protocols.

Services receive these by constructor, so each can be tested with a plain object and
neither meinheld nor Falcon is imported below the composition roots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pihub.domain.chat import Answer, Ask, Usage
from pihub.domain.embed import EmbedAsk, Vectors
from pihub.domain.stream import Event
from pihub.errors import PihubError, UpstreamError

Headers = Sequence[tuple[str, str]]
"""Header fields in order; names in lower case from upstreams."""


class Spent(Protocol):
    """Where a connector adds what a request waited, in ns."""

    queued_ns: int
    dialed_ns: int


class Waiter(Protocol):
    """The one blocking primitive of a worker (the design's `cowait`).

    Deadlines are `time.monotonic()` seconds. Only the calling greenlet or thread
    waits; the worker's other requests go on.
    """

    def wait(
        self, fd: int, *, write: bool = False, deadline: float, client_fd: int = -1
    ) -> None:
        """Return once `fd` is readable (or writable), has an error or was hung up.

        Raises TimeoutError at the deadline (granularity: at most 100 ms late) and
        ClientGone, within 1 s, if the peer of `client_fd` closes meanwhile. After
        either of them `fd` may have been shut down and must be closed.
        """

    def sleep(self, seconds: float, *, client_fd: int = -1) -> None:
        """Sleep; raises ClientGone as `wait` does. Accuracy: milliseconds."""

    def spawn(self, work: Callable[[], None]) -> None:
        """Run `work` beside the requests, in a greenlet or thread of its own."""

    def client_fd(self, environ: Mapping[str, Any]) -> int:
        """The socket of the request's client, -1 if unknown."""


class Resolver(Protocol):
    """Names to addresses without blocking: the control process does the look-ups."""

    def addresses(self, host: str) -> Sequence[tuple[int, str]]:
        """(address family, numeric address) pairs in order of preference.

        Empty while the first look-up is under way. Raises UpstreamUnreachable when
        the name does not resolve.
        """


class Piece(NamedTuple):
    """A complete unit of an upstream's stream: its raw bytes and what they mean."""

    raw: bytes
    events: tuple[Event, ...]
    usage_only: bool = False
    """An OpenAI chunk with usage and no choices, which the hub always asks for: a
    same-protocol pass-through leaves it out unless `Ask.include_usage`."""
    more: bool = False
    """The next piece is at hand: both may be sent together."""


class Peek(NamedTuple):
    """What routing and caching must know of a request before it is parsed."""

    model: str
    stream: bool
    temperature: float | None


class Glance(NamedTuple):
    """What accounting must know of an answer that passes through unparsed."""

    usage: Usage | None
    raw_stop: str


class StreamParser(Protocol):
    """Upstream stream bytes to pieces; incremental, bytes may split anywhere."""

    finished: bool
    """The terminal marker was seen: the answer is complete."""
    done: bool
    """Nothing after this is wanted (`[DONE]`, `message_stop`, `done: true`, an error)."""
    malformed: int
    """Events that could not be understood and were skipped."""

    def feed(self, data: bytes) -> list[Piece]:
        """Malformed events are counted in `malformed` and skipped. What is no JSON at all
        has no raw bytes either, so it does not reach a client of the same protocol; JSON
        of another shape has, for the client may well understand it.

        Raises UpstreamProtocol if a single event exceeds 8 MiB.
        """

    def eof(self) -> list[Piece]:
        """Flush at the end of the body (an unterminated last event).

        Always call it once, also after a broken connection: an OpenAI stream without
        `[DONE]` gives its Finish only here. `finished` is settled afterwards.
        """


class UpstreamFormat(Protocol):
    """One upstream wire format: canonical form out, canonical form in."""

    name: str
    path: str
    """Of the chat call; a pass-through with `patch_request` needs it."""
    headers: Headers
    """What every call carries beyond credentials and content-type (anthropic-version)."""

    def request(
        self, ask: Ask, model: str, *, stream: bool
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        """(path, extra headers, body) of the call. Raises Unsupported."""

    def notes(self, ask: Ask, model: str) -> tuple[str, ...]:
        """Names of what `request` would drop or change (for a warning header)."""

    def unwatched(self, ask: Ask) -> tuple[str, ...]:
        """Stop sequences that the upstream does not take: the hub must watch for them."""

    def patch_request(self, body: bytes, model: str, *, stream: bool) -> bytes:
        """The client's own body of the same protocol, changed only in `model`
        (and, for OpenAI streams, `stream_options.include_usage`)."""

    def answer(self, status: int, headers: Headers, body: bytes) -> Answer:
        """Raises UpstreamError for errors, also for a 200 with an error or HTML."""

    def glance(self, status: int, body: bytes) -> Glance:
        """As `answer`, for an answer whose bytes go to the client unchanged."""

    def error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        """The error that a non-200 answer means; honours retry-after."""

    def parser(self) -> StreamParser: ...


class StreamRenderer(Protocol):
    """Canonical events to bytes in the client's protocol."""

    content_type: str

    def feed(self, event: Event) -> bytes: ...

    def error(self, error: PihubError, request_id: str) -> bytes:
        """The error in the protocol's own form, after headers were sent."""


class ClientFormat(Protocol):
    """One client wire format."""

    name: str

    def peek(self, body: bytes) -> Peek:
        """Raises BadRequest if the body is not JSON or names no model."""

    def parse(self, body: bytes) -> Ask:
        """Raises BadRequest (malformed) or Unsupported (cannot be carried)."""

    def render(self, answer: Answer, ask: Ask) -> bytes:
        """A non-streamed answer; content type application/json."""

    def renderer(self, ask: Ask) -> StreamRenderer: ...

    def error(self, error: PihubError, request_id: str) -> tuple[int, list[tuple[str, str]], bytes]:
        """(status, headers, body) of an error before headers were sent."""

    def models(self, names: Sequence[str], created: int) -> bytes:
        """The protocol's list of models."""


class EmbedClient(ClientFormat, Protocol):
    """A client format of embeddings; its errors are its protocol's."""

    path: str

    def parse_embed(self, body: bytes) -> EmbedAsk:
        """Raises BadRequest."""

    def render_embed(self, answer: Vectors, ask: EmbedAsk) -> bytes: ...


class EmbedUpstream(Protocol):
    """An upstream format of embeddings."""

    name: str
    path: str

    def request(self, ask: EmbedAsk, model: str) -> bytes:
        """Raises Unsupported."""

    def notes(self, ask: EmbedAsk) -> tuple[str, ...]:
        """Names of what `request` drops."""

    def patch(self, body: bytes, model: str) -> bytes:
        """A body of the same endpoint for another model."""

    def read(self, body: bytes) -> Vectors:
        """Raises UpstreamError for a 200 that holds no vectors."""

    def glance(self, body: bytes) -> int | None:
        """The tokens used by an answer that is passed on as it is; raises as `read`."""
