"""XXH3 and SipHash for C callers, without Python."""
from libc.stdint cimport uint8_t, uint64_t

cdef extern from "ph_hash.h" nogil:
    uint64_t ph_xxh3_64(const uint8_t *data, size_t n, uint64_t seed)
    # out[0] is the high, out[1] the low half
    void ph_xxh3_128(const uint8_t *data, size_t n, uint64_t seed, uint64_t *out)
    void ph_siphash128(const uint8_t *key, const uint8_t *data, size_t n, uint64_t *out)
