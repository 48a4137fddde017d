"""API keys by the SipHash of the token; the C side is include/ph_keytable.h."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from pihub._core.arena cimport Arena
from pihub._core.atomics cimport ph_a64

cdef extern from "ph_keytable.h" nogil:
    const uint16_t PH_KEY_RESTRICTED
    const uint16_t PH_KEY_QUOTA
    ctypedef struct ph_key_row:
        ph_a64 h0
        ph_a64 h1

    ctypedef struct ph_keys_head:
        ph_a64 generation
        ph_a64 count
        ph_a64 peppered
        uint8_t *pepper

    ctypedef struct ph_keys:
        ph_keys_head *head
        ph_key_row *row
        uint64_t mask
        uint64_t capacity

    ctypedef struct ph_key_id:
        uint32_t key
        uint16_t tenant
        uint16_t flags

    void ph_siphash128(const uint8_t *key, const uint8_t *data, size_t n, uint64_t *out)
    int ph_key_find(
        const ph_keys *t, const uint8_t *token, size_t len, uint64_t now, ph_key_id *out)
    int ph_key_put(const ph_keys *t, uint64_t h0, uint64_t h1, uint64_t who, uint64_t expires)
    int ph_key_remove(const ph_keys *t, uint64_t h0, uint64_t h1)
    void ph_key_recount(const ph_keys *t)


cdef class KeyTable:
    cdef Arena _arena           # keeps the mapping
    cdef ph_keys t              # set once, in __cinit__
    cdef readonly uint64_t capacity
