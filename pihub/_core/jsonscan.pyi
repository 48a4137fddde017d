def members(data: bytes) -> list[tuple[str, int, int]] | None:
    """(key, start, end) of each top-level value, in order; None if `data` is no object.

    Keys are given as they stand, escapes not undone; values are not validated.
    """

def replace(data: bytes, key: bytes, value: bytes, absent: tuple[bytes, ...]) -> bytes | None:
    """`data` with the top-level `key`'s value replaced, every other byte as it was.

    None if `data` is not that plain: no object, the key missing, a key of `absent`
    there, a key twice (ASCII case ignored), an escape in a key, or over 32 keys.
    """

def measure(data: bytes, deepest: int, most: int) -> int:
    """0: at most `deepest` levels and about `most` values; 1: deeper; 2: more values.

    Says nothing of whether it is valid.
    """
