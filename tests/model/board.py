"""The obvious twin of pihub._core.board."""

from __future__ import annotations


class Board:
    def __init__(self) -> None:
        self.published: list[bytes] = []

    def publish(self, data: bytes) -> int:
        self.published.append(data)
        return len(self.published)

    def read(self) -> tuple[int, bytes]:
        return len(self.published), self.published[-1] if self.published else b""
