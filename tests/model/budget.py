"""The obvious twin of pihub._core.budget: what was spent, and who holds what."""

from __future__ import annotations

MAX = (1 << 48) - 1


class Row:
    def __init__(self) -> None:
        self.limits = [0, 0]
        self.soft = [0, 0]
        self.window = [0, 0]
        self.spent = [0, 0]
        self.held: dict[int, int] = {}

    def total(self, w: int, window: int) -> int:
        spent = 0 if self.window[w] < window else self.spent[w]
        return spent + sum(self.held.values())

    def spend(self, w: int, window: int, amount: int) -> None:
        if self.window[w] > window:
            return
        before = 0 if self.window[w] < window else self.spent[w]
        self.window[w] = window
        self.spent[w] = min(max(before + amount, 0), MAX)


class Budget:
    def __init__(self, rows: int) -> None:
        self.rows = [Row() for _ in range(rows)]

    def reserve(
        self, slot: int, rows: tuple[int, ...], amount: int, windows: tuple[int, int], force: bool
    ) -> int:
        soft = 0
        adds: dict[int, int] = {}
        for row in rows:
            adds[row] = adds.get(row, 0) + amount
        for i, number in enumerate(rows):
            row = self.rows[number]
            for w in range(2):
                total = row.total(w, windows[w]) + adds[number]
                if row.limits[w] and total > row.limits[w] and not force:
                    return 1 + 2 * i + w
                if row.soft[w] and total > row.soft[w] and not soft:
                    soft = 1 + 2 * i + w
        for number in rows:
            held = self.rows[number].held
            held[slot] = held.get(slot, 0) + amount
        return -soft

    def settle(
        self,
        slot: int,
        rows: tuple[int, ...],
        reserved: int,
        actual: int,
        windows: tuple[int, int],
    ) -> None:
        for number in rows:
            row = self.rows[number]
            if actual:
                for w in range(2):
                    row.spend(w, windows[w], actual)
            row.held[slot] = row.held.get(slot, 0) - reserved

    def recover(self, slot: int) -> None:
        for row in self.rows:
            row.held.pop(slot, None)
