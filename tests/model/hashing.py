"""SipHash-c-d with 128-bit output, written from the paper (Aumasson, Bernstein 2012, sec. 2)
and the authors' note on the longer output; slow and obvious."""

from __future__ import annotations

M = (1 << 64) - 1


def rotl(x: int, b: int) -> int:
    return (x << b | x >> (64 - b)) & M


def rounds(v: list[int], n: int) -> None:
    for _ in range(n):
        v[0] = (v[0] + v[1]) & M
        v[2] = (v[2] + v[3]) & M
        v[1] = rotl(v[1], 13) ^ v[0]
        v[3] = rotl(v[3], 16) ^ v[2]
        v[0] = rotl(v[0], 32)
        v[2] = (v[2] + v[1]) & M
        v[0] = (v[0] + v[3]) & M
        v[1] = rotl(v[1], 17) ^ v[2]
        v[3] = rotl(v[3], 21) ^ v[0]
        v[2] = rotl(v[2], 32)


def siphash128(key: bytes, data: bytes) -> tuple[int, int]:
    k0 = int.from_bytes(key[:8], "little")
    k1 = int.from_bytes(key[8:], "little")
    start = b"somepseudorandomlygeneratedbytes"
    v = [int.from_bytes(start[i : i + 8], "big") for i in (0, 8, 16, 24)]
    v = [v[0] ^ k0, v[1] ^ k1 ^ 0xEE, v[2] ^ k0, v[3] ^ k1]
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) % 256])
    for i in range(0, len(padded), 8):
        m = int.from_bytes(padded[i : i + 8], "little")
        v[3] ^= m
        rounds(v, 2)
        v[0] ^= m
    v[2] ^= 0xEE
    rounds(v, 4)
    first = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    rounds(v, 4)
    return first, v[0] ^ v[1] ^ v[2] ^ v[3]
