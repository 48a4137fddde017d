"""The obvious twin of pihub._core.counters: a list of lists, modulo 2**64, read as signed."""

from __future__ import annotations


def signed(n: int) -> int:
    n %= 1 << 64
    return n - (1 << 64) if n >= 1 << 63 else n


class Counters:
    def __init__(self, rows: int, columns: int) -> None:
        self.cells = [[0] * columns for _ in range(rows)]

    def add(self, row: int, column: int, n: int) -> None:
        self.cells[row][column] = signed(self.cells[row][column] + n)

    def set(self, row: int, column: int, value: int) -> None:
        self.cells[row][column] = value

    def get(self, row: int, column: int) -> int:
        return self.cells[row][column]

    def total(self, column: int) -> int:
        return signed(sum(row[column] for row in self.cells))

    def clear_row(self, row: int) -> None:
        self.cells[row] = [0] * len(self.cells[row])
