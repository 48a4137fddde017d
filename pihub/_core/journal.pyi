from typing import Self, final

from pihub._core.counters import Counters
from pihub._core.histogram import Histogram
from pihub._core.ring import Ring

@final
class Journal:
    """One process's journal: writes row `slot` of the four regions and nothing else.

    Raises IndexError if the slot has no row in one of them, ValueError if a region has
    too few columns, PermissionError in an arena attached read-only.
    """

    def __new__(
        cls, counters: Counters, routes: Counters, latency: Histogram, ring: Ring, slot: int
    ) -> Self: ...
    def write(
        self,
        t0: int,
        marks: list[int],
        rid: int,
        cost_nano: int,
        saved_nano: int,
        ttft_us: int,
        in_tok: int,
        out_tok: int,
        cache_read_tok: int,
        cache_write_tok: int,
        bytes_in: int,
        bytes_out: int,
        key: int,
        status: int,
        tenant: int,
        route: int,
        model: int,
        upstream: int,
        alias: int,
        cache: int,
        flags: int,
        attempts: int,
        reason: int,
        error: int,
        kept: int,
        look: int,
        kept_ttl: int,
        why: int,
        queued: int,
        dialed: int,
        stalls: int,
        /,
    ) -> None:
        """A request that began at `t0` (CLOCK_MONOTONIC ns) is over: count and record it.

        marks: CLOCK_MONOTONIC ns at the end of each stage of the pipeline that ran; the
        first only bounds the second, whose duration goes into the series INSPECT, and so
        on (at most 7). The rest are the fields of include/ph_event.h; duration, wall clock
        and worker are the journal's. Raises TypeError for what is no integer, OverflowError
        for a `t0`, `rid` or `look` that is no u64.
        """
