"""The obvious twin of pihub._core.names: a list."""

from __future__ import annotations

KEPT = 119


def cut(name: str) -> str:
    """As much of `name` as fits KEPT bytes of UTF-8, whole characters only."""
    name = name.encode("utf-8", "replace").decode()
    while len(name.encode()) > KEPT:
        name = name[:-1]
    return name


class Names:
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.names: list[str] = []

    def intern(self, name: str) -> int:
        name = cut(name)
        if not name:
            return 0
        if name not in self.names:
            if len(self.names) == self.capacity:
                return 0
            self.names.append(name)
        return self.names.index(name) + 1

    def lookup(self, index: int) -> str:
        return self.names[index - 1] if 1 <= index <= len(self.names) else ""
