"""The obvious twin of pihub._core.keytable: a dict."""

from __future__ import annotations


class KeyTable:
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.rows: dict[tuple[int, int], tuple[int, int, int, int]] = {}

    def put(self, h: tuple[int, int], key: int, tenant: int, flags: int, expires: int) -> bool:
        if h not in self.rows and len(self.rows) >= self.capacity:
            return False
        self.rows[h] = (key, tenant, flags, expires)
        return True

    def remove(self, h: tuple[int, int]) -> bool:
        return self.rows.pop(h, None) is not None

    def find(self, h: tuple[int, int], now: int) -> tuple[int, int, int] | None:
        row = self.rows.get(h)
        if row is None or (row[3] and now >= row[3]):
            return None
        return row[:3]
