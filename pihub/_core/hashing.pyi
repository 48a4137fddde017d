def xxh3_64(data: bytes, seed: int = 0) -> int: ...
def xxh3_128(data: bytes, seed: int = 0) -> tuple[int, int]:
    """(high, low) 64-bit halves."""
def siphash128(key: bytes, data: bytes) -> tuple[int, int]:
    """SipHash-2-4-128 (Aumasson, Bernstein 2012); `key` is 16 bytes."""
