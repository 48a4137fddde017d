def members(data: bytes) -> list[tuple[str, int, int]] | None:
    """(key, start, end) of each top-level value, in order; None if `data` is no object.

    Keys are given as they stand, escapes not undone; values are not validated.
    """
