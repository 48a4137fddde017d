from typing import Self, TypeAlias, final

from pihub._core.arena import Arena

_Row: TypeAlias = tuple[
    int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int,
    int, int, bool,
]  # fmt: skip
"""handle, generation, incarnation, rid, wall_ns, began_ns, first_ns, last_ns, bytes, tokens,
stalls, longest gap in us, key, tenant, route, flags, model, upstream, alias, input tokens,
to be cancelled"""

@final
class Streams:
    """Rows of live streams. Times are CLOCK_MONOTONIC ns."""

    def __new__(cls, arena: Arena, region: str, slots: int, per_slot: int) -> Self: ...
    @staticmethod
    def size_for(slots: int, per_slot: int) -> int: ...
    def begin(self, slot: int, incarnation: int) -> None:
        """Once in each process that opens streams, before it does."""
    def open(
        self,
        slot: int,
        rid: int,
        now_ns: int,
        key: int,
        tenant: int,
        route: int,
        flags: int,
        model: int,
        upstream: int,
        alias: int,
        input_tokens: int,
    ) -> int:
        """The stream's handle; -1: no free row (counted), the stream goes untracked."""
    def tick(self, handle: int, tokens: int, nbytes: int, now_ns: int, stall_ns: int) -> bool:
        """Content has come. True: the stream is to be ended."""
    def cancelled(self, handle: int) -> bool: ...
    def close(self, handle: int) -> None: ...
    def cancel(self, handle: int, generation: int) -> bool:
        """From any process. False: that stream is over."""
    def read(self, handle: int) -> _Row | None:
        """A live row, None if it is free."""
    def rows(self) -> list[_Row]:
        """All live rows of all processes."""
    def held(self, key: int) -> int:
        """How many live rows of all processes are that key's, as of some moment."""
    def orphans(self, slot: int, incarnation: int) -> list[_Row]:
        """Take the live rows of a dead process; they are free afterwards."""
    def untracked(self) -> int:
        """Streams that found no row, since the arena was made."""
