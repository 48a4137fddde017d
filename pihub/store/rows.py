"""What the stores give and take: plain rows, no SQL and no connection in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, Protocol


class RequestRow(NamedTuple):
    """One recorded request, names resolved. Money in nano-USD, None: unknown."""

    id: int
    ts_ns: int
    rid: int
    tenant: int
    key: int
    route: int
    status: int
    cache: int
    flags: int
    reason: int
    attempts: int
    worker: int
    model: str
    upstream: str
    alias: str
    error: str
    dur_us: int
    ttft_us: int
    in_tok: int
    out_tok: int
    cache_read_tok: int
    cache_write_tok: int
    cost_nano: int | None
    saved_nano: int | None
    stalls: int = 0
    """Of its stream; 255: that many or more."""


class Wanted(NamedTuple):
    """What a request must be; None and empty: anything."""

    model: str = ""
    """The name asked for, or that of the model that answered."""
    upstream: str = ""
    error: str = ""
    key: int | None = None
    route: int | None = None
    cache: int | None = None
    status_from: int = 0
    status_to: int = 999
    since: int | None = None
    """Unix seconds, the second itself included."""
    until: int | None = None
    """Not included."""
    part: str = ""
    """Of the name asked for, of the model, or of `upstream/model`, in any case."""
    flags: int = 0
    """All of these (shared.events.Flag)."""
    caches: tuple[int, ...] = ()
    """One of these."""
    reasons: tuple[int, int] = (0, 255)
    """From, to."""
    paid: bool = False
    saved: bool = False
    """It cost, or saved, some money."""
    slower_us: int = 0
    """It took so long or longer."""


class Hits(NamedTuple):
    """What was found, the nearest first."""

    rows: list[RequestRow]
    edge: int | None
    """The `id` to go on from; None: there is no more."""


class RequestTimes(NamedTuple):
    """How long each stage took, in microseconds; all zero where the edge answered alone."""

    inspect: int
    lookup: int
    route: int
    call: int
    """From asking for a target's turn to its first content, failed attempts included."""
    render: int
    bytes_in: int
    bytes_out: int
    queued: int = 0
    """Within `call`: waits for a turn at a local model and for a place in the pool; to 5 %."""
    dialed: int = 0
    """Within `call`: name, TCP and TLS of new connections; to 5 %. 0: a kept one."""


Step = Literal["minute", "hour", "day"]
Dimension = Literal["none", "tenant", "key", "route", "model", "upstream", "status", "cache"]

STEP_SECONDS: dict[Step, int] = {"minute": 60, "hour": 3600, "day": 86400}


class UsageRow(NamedTuple):
    """Sums over one span of time and one value of the dimension."""

    start: int
    """Unix seconds."""
    group: str
    requests: int
    in_tok: int
    out_tok: int
    cache_read_tok: int
    cache_write_tok: int
    cost_nano: int
    unpriced: int
    """Requests whose cost is unknown: they are in no sum of money."""
    saved_nano: int
    p50_us: float
    """As the next two: NaN where it is not known (one tenant's sums by model and the like)."""
    p95_us: float
    p99_us: float


class Spend(NamedTuple):
    """Money since some moment, in nano-USD."""

    cost_nano: int
    saved_nano: int
    unpriced: int


class KeyRow(NamedTuple):
    """An API key, without the token, which nobody can read back."""

    id: int
    tenant: int
    tenant_name: str
    name: str
    hash: tuple[int, int]
    """(high, low) 64-bit halves."""
    hint: str
    flags: int
    created: int
    expires: int
    revoked: int
    user: int = 0
    """Whose key; 0: nobody's."""
    scope: str = "{}"
    """JSON, security/scope.py."""
    successor: int = 0
    """The key that a rotation made, 0: none."""
    used: int = 0
    """When it was last seen, to some minutes; 0: never."""


class TenantRow(NamedTuple):
    """Whose keys, and what they may use together. None: all."""

    id: int
    name: str
    created: int
    disabled: int
    requests_per_minute: int
    """0: no limit of the tenant's own."""
    models: list[str] | None
    apis: list[str] | None
    keys: int
    """How many are not revoked."""


class NewKey(NamedTuple):
    """A key to be kept; the store gives it its number."""

    tenant: str
    name: str
    hash: tuple[int, int]
    hint: str
    created: int
    expires: int
    user: int = 0
    scope: str = "{}"


class NameLookup(Protocol):
    """Arena name numbers to strings."""

    def lookup(self, index: int) -> str: ...


class Reports(Protocol):
    """What pages and reports read: of all tenants, or of one (store/reports.py)."""

    def recent(self, limit: int, before: int | None = None) -> list[RequestRow]:
        """Newest first; `before` is the `id` to continue from."""

    def newer(self, limit: int, after: int) -> list[RequestRow]:
        """Those beyond the `id` `after`, oldest first."""

    def search(
        self, wanted: Wanted, limit: int, *, edge: int | None = None, upward: bool = False
    ) -> Hits:
        """Those that are as wanted, beyond the `id` `edge`; see store/searching.py."""

    def one(self, number: int) -> tuple[RequestRow, RequestTimes] | None:
        """The request of that `id`."""

    def usage(
        self, start: int, end: int, step: Step, by: Dimension, *, paces: bool = True
    ) -> list[UsageRow]:
        """Sums of the spans in [start, end), unix seconds, oldest first. `paces` False: without
        percentiles (NaN), in a third of the time."""

    def spent(self, since: int, *, simulated: bool = False) -> Spend:
        """Since a unix second, to the whole minute; of real or of simulated upstreams."""


class EventStore(Reports, Protocol):
    """Where the recorder writes and everyone reads."""

    def cursors(self, boot: int) -> dict[int, int]:
        """Position of each ring of that arena, as of the last commit."""

    def commit(
        self,
        boot: int,
        cursors: dict[int, int],
        lost: int,
        records: Sequence[bytes],
        names: NameLookup,
    ) -> None:
        """All or nothing: the rows, their sums and the cursors. Raises StoreFault.

        `records` as they lie in a ring (shared.events.Record.unpack), in any order.
        """

    def total(self, name: str) -> int:
        """A lifetime total: `recorded`, `lost`."""

    def prune(self, now: int, retention_days: int, limit: int) -> int:
        """Delete at most `limit` expired rows of each table; returns how many."""

    def checkpoint(self) -> None: ...

    def info(self) -> dict[str, Any]:
        """For pages: kind, bytes on the disk and of those in the WAL, requests that are kept,
        and bytes for 1,000 of them, with all sums."""


class KeyStore(Protocol):
    """Where keys are kept. Every method that writes returns after the commit."""

    def add(self, new: NewKey, highest: int) -> KeyRow | None:
        """None, and nothing is kept, if its number would be beyond `highest`."""

    def list(self) -> list[KeyRow]: ...

    def revoke(self, number: int, now: int) -> KeyRow | None:
        """None if there is no such key; idempotent."""

    def expire(self, number: int, at: int) -> KeyRow | None:
        """Set the unix second at which the key ends (0: never); None if unknown."""

    def rescope(self, number: int, name: str, scope: str) -> KeyRow | None:
        """Another name and scope; None if unknown."""

    def succeed(self, number: int, successor: int, at: int) -> KeyRow | None:
        """Another key takes its place; it ends at a unix second, or before if it was to."""

    def used(self, keys: Iterable[tuple[int, int]]) -> None:
        """(number, unix second): when keys were last seen."""

    def tenants(self) -> Sequence[TenantRow]: ...

    def add_tenant(self, name: str, now: int) -> bool:
        """False if there is one of that name."""

    def change_tenant(self, tenant: TenantRow) -> None:
        """All but its name."""

    def version(self) -> int:
        """Another number after every change, by whichever process."""

    def close(self) -> None: ...
