"""The obvious twin of pihub._core.matcher: look everywhere for everything."""

from __future__ import annotations


def fold(data: bytes) -> bytes:
    return bytes(b + 32 if 65 <= b <= 90 else b for b in data)


def all_matches(patterns: tuple[bytes, ...], data: bytes) -> list[tuple[int, int]]:
    """By end offset; of one end, longer patterns first, then by index."""
    text = fold(data)
    return [
        (index, end)
        for end in range(1, len(text) + 1)
        for index, pattern in sorted(enumerate(patterns), key=lambda p: (-len(p[1]), p[0]))
        if text[:end].endswith(fold(pattern))
    ]


def control(data: bytes) -> bool:
    return any((b < 32 and b != 9) or b == 127 for b in data)


CLASSES = (
    bytes(range(32)), b"\0", bytes(range(128, 256)), b"%", b"&", b"'\"", b"`", b"<>", b"()",
    b"[\\]{|}", b";", b"!#$*", b"\x7f", b"=", b"-./", b"\\^",
)  # fmt: skip


def classes(data: bytes) -> int:
    return sum(1 << bit for bit, members in enumerate(CLASSES) if set(members) & set(data))


def first_literal(patterns: tuple[bytes, ...], data: bytes, start: int) -> tuple[int, int] | None:
    text = fold(data)
    for at in range(start, len(text)):
        for index, pattern in enumerate(patterns):
            if text.startswith(fold(pattern), at):
                return index, at
    return None
