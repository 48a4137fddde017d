"""Cache policies as their papers say them, to compare the hub's cache with.

Each takes a trace (keys 0..n), a cost a key and a capacity in entries, and gives the number
of hits and the cost that they saved.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

Result = tuple[int, float]
Policy = Callable[[Sequence[int], Sequence[float], int], Result]


def lru(trace: Sequence[int], cost: Sequence[float], capacity: int) -> Result:
    """Least recently used."""
    held: OrderedDict[int, None] = OrderedDict()
    hits, saved = 0, 0.0
    for key in trace:
        if key in held:
            held.move_to_end(key)
            hits += 1
            saved += cost[key]
        else:
            if len(held) >= capacity:
                held.popitem(last=False)
            held[key] = None
    return hits, saved


def s3fifo(trace: Sequence[int], cost: Sequence[float], capacity: int) -> Result:
    """Yang et al., FIFO queues are all you need for cache eviction (SOSP 2023), algorithm 1."""
    small_size = max(1, capacity // 10)
    main_size = max(1, capacity - small_size)
    small: deque[int] = deque()
    main: deque[int] = deque()
    ghost: OrderedDict[int, None] = OrderedDict()
    uses: dict[int, int] = {}
    hits, saved = 0, 0.0

    def from_main() -> None:
        while main:
            key = main.popleft()
            if uses[key] > 0:
                uses[key] -= 1
                main.append(key)
            else:
                del uses[key]
                return

    def from_small() -> None:
        while small:
            key = small.popleft()
            if uses[key] > 1:
                uses[key] = 0
                main.append(key)
                if len(main) > main_size:
                    from_main()
            else:
                del uses[key]
                ghost[key] = None
                if len(ghost) > main_size:
                    ghost.popitem(last=False)
                return

    for key in trace:
        if key in uses:
            uses[key] = min(uses[key] + 1, 3)
            hits += 1
            saved += cost[key]
            continue
        while len(uses) >= capacity:
            if len(small) >= small_size:
                from_small()
            else:
                from_main()
        if key in ghost:
            del ghost[key]
            main.append(key)
        else:
            small.append(key)
        uses[key] = 0
    return hits, saved


def gdf(trace: Sequence[int], cost: Sequence[float], capacity: int) -> Result:
    """GreedyDual-Frequency: priority = age + uses x cost (Cherkasova, HPL-98-69R1)."""
    uses: dict[int, int] = {}
    priority: dict[int, float] = {}
    heap: list[tuple[float, int]] = []
    age, hits, saved = 0.0, 0, 0.0
    for key in trace:
        if key in uses:
            uses[key] += 1
            hits += 1
            saved += cost[key]
            # The heap keeps the old priority, which is a lower bound: looked at when it comes up.
            priority[key] = age + uses[key] * cost[key]
            continue
        while len(uses) >= capacity:
            least, victim = heap[0]
            if priority[victim] != least:
                heapq.heapreplace(heap, (priority[victim], victim))
                continue
            heapq.heappop(heap)
            age = least
            del uses[victim], priority[victim]
        uses[key] = 1
        priority[key] = age + cost[key]
        heapq.heappush(heap, (priority[key], key))
    return hits, saved


def opt(trace: Sequence[int], cost: Sequence[float], capacity: int) -> Result:
    """Belady's: what is needed furthest in the future goes, the newcomer included."""
    never = len(trace)
    after = [never] * never
    seen: dict[int, int] = {}
    for at in range(never - 1, -1, -1):
        after[at] = seen.get(trace[at], never)
        seen[trace[at]] = at
    upcoming: dict[int, int] = {}
    heap: list[tuple[int, int]] = []
    hits, saved = 0, 0.0
    for at, key in enumerate(trace):
        if key in upcoming:
            hits += 1
            saved += cost[key]
        upcoming[key] = after[at]
        heapq.heappush(heap, (-after[at], key))
        while len(upcoming) > capacity:
            when, victim = heapq.heappop(heap)
            if upcoming.get(victim) == -when:
                del upcoming[victim]
    return hits, saved
