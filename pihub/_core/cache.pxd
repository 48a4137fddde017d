"""The shared cache: the C face, for the edge."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from pihub._core.arena cimport Arena
from pihub._core.atomics cimport ph_a64

cdef extern from "ph_cacheput.h" nogil:
    int PH_PUT_OK
    int PH_PUT_LARGE
    int PH_PUT_BUSY
    uint32_t PH_TICK_NS
    uint32_t PH_OWNER_NONE

    int PH_WAYS
    int PH_UNIT

    ctypedef struct ph_entry:
        uint32_t units
        uint64_t h1
        uint64_t h2
        uint32_t tenant
        uint32_t tag
        uint32_t expiry
        uint32_t stale
        uint16_t flags

    ctypedef struct ph_cache_head:
        ph_a64 room

    ctypedef struct ph_cache:
        ph_cache_head *head
        uint64_t stride
        uint32_t n_shards
        uint32_t n_buckets
        uint32_t owner
        int writable

    ctypedef struct ph_cache_hit:
        const uint8_t *value
        uint32_t len
        uint32_t expiry
        uint32_t raw
        uint32_t flags

    ctypedef struct ph_cache_item:
        uint64_t h1
        uint64_t h2
        const uint8_t *value
        uint64_t len
        uint64_t raw
        uint32_t tenant
        uint32_t tag
        uint32_t expiry
        uint32_t stale
        uint16_t flags
        double saves

    ctypedef struct ph_cache_stats:
        uint64_t entries
        uint64_t bytes
        uint64_t capacity
        uint64_t puts
        uint64_t refused
        uint64_t evicted
        uint64_t moved
        uint64_t lock_busy

    uint64_t ph_cache_bytes(uint64_t payload)
    int ph_cache_shape(ph_cache *c, uint8_t *base, uint64_t bytes)
    uint64_t ph_cache_max_value(const ph_cache *c)
    uint32_t ph_cache_ticks(uint64_t ns)
    int ph_cache_find(
        const ph_cache *c, uint64_t h1, uint64_t h2, uint32_t tenant, uint32_t now, int stale,
        ph_cache_hit *hit)
    int ph_cache_still(const ph_cache_hit *hit)
    int ph_cache_put(const ph_cache *c, const ph_cache_item *item, uint32_t now)
    int ph_cache_delete(const ph_cache *c, uint64_t h1, uint64_t h2, uint32_t tenant, uint32_t now)
    uint32_t ph_cache_recover(const ph_cache *c, uint32_t owner)
    uint64_t ph_cache_trim(const ph_cache *c, uint32_t now, const uint8_t *base, uint64_t page)
    int ph_cache_peek(
        const ph_cache *c, uint32_t shard, uint32_t bucket, unsigned way, uint32_t now,
        ph_entry *out)
    void ph_cache_clear(const ph_cache *c)
    void ph_cache_start(const ph_cache *c)
    void ph_cache_count(const ph_cache *c, ph_cache_stats *out)
    void ph_cache_tag_next(const ph_cache *c, uint32_t tag)
    void ph_cache_tenant_next(const ph_cache *c, uint32_t tenant)


cdef class Cache:
    cdef Arena arena
    cdef ph_cache c
    cdef uint8_t[64] skip       # by tag: how many values are not tried to be compressed

    cdef object load(self, const ph_cache_hit *hit)
