"""The obvious twin of pihub._core.ring: keeps everything, forgets by arithmetic."""

from __future__ import annotations


class Ring:
    def __init__(self, rings: int, capacity: int) -> None:
        self.capacity = capacity
        self.pushed: list[list[bytes]] = [[] for _ in range(rings)]
        self.alarms = [0] * rings
        self.rung = 0

    def push(self, ring: int, record: bytes) -> None:
        self.pushed[ring].append(record)
        self.rung += len(self.pushed[ring]) == self.alarms[ring]

    def alarm(self, ring: int, at: int) -> None:
        self.alarms[ring] = at

    def head(self, ring: int) -> int:
        return len(self.pushed[ring])

    def read(self, ring: int, cursor: int, limit: int) -> tuple[int, int, list[bytes]]:
        all_of_it = self.pushed[ring]
        readable = range(max(0, len(all_of_it) - (self.capacity - 1)), len(all_of_it))
        first = max(cursor, readable.start)
        records = all_of_it[first : first + limit]
        return first + len(records), first - cursor, records
