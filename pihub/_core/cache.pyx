# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""The answer cache shared by all processes.

Promise   get returns exactly what some put of that key and tenant stored, unexpired and
          not invalidated, or None; never a torn or a foreign value.
Layout    | head | generations | shards of buckets and a log | (ph_cache.h)
Writers   any process; one at a time a shard, by an owner word that nobody waits for longer
          than 50 us (20 ms to delete). The arbiter frees a dead owner's by recover().
Readers   any process, without a lock.
Cost      get: a hash line, the entry, one copy. put: a copy under the lock.
Failure   a process may be killed anywhere: at worst its shard refuses puts until recover()
          and one entry is lost. RAM: the region, nothing else.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from pihub._core.arena cimport PH_KIND_CACHE, Arena, ph_head
from pihub._core.atomics cimport ph_coarse_ns, ph_load_rlx, ph_store_rlx

cdef extern from *:
    """
    #define LZ4LIB_VISIBILITY static
    #include "vendor/lz4.c"
    #undef likely
    #undef unlikely
    """
    int LZ4_compress_default(const char *source, char *to, int size, int room)
    int LZ4_decompress_safe(const char *source, char *to, int size, int room)

cdef enum:
    PACK_FROM = 4096            # bytes; below, LZ4 saves too little for what it costs

cdef double FOREVER = 8e8   # seconds: beyond the clock of an entry
cdef int TICKS = 16         # a second


cdef uint64_t nanoseconds(double seconds) except? 0xFFFFFFFFFFFFFFFF:
    if not seconds >= 0:
        raise ValueError(f"a time to live cannot be {seconds}")
    return <uint64_t> ((seconds if seconds < FOREVER else FOREVER) * 1e9)


@cython.final
cdef class Cache:
    """Cache(arena, region): the cache fills its region."""

    def __cinit__(self, Arena arena not None, str region not None):
        cdef uint64_t room = arena.region(region)[1]
        cdef uint64_t body = room - sizeof(ph_head) if room > sizeof(ph_head) else 0
        cdef uint8_t *base
        if not ph_cache_shape(&self.c, NULL, body):
            raise ValueError(f"a cache cannot have a region of {room} bytes")
        self.arena = arena
        base = arena.open(
            region, PH_KIND_CACHE, room, body, self.c.stride, self.c.n_shards, self.c.n_buckets
        )
        ph_cache_shape(&self.c, base, body)
        self.c.owner = PH_OWNER_NONE
        self.c.writable = arena.writable
        if arena.writable:
            ph_cache_start(&self.c)

    @staticmethod
    def size_for(uint64_t payload_bytes):
        return sizeof(ph_head) + ph_cache_bytes(payload_bytes)

    @property
    def max_value(self):
        return ph_cache_max_value(&self.c)

    cdef object load(self, const ph_cache_hit *hit):
        """The hit's value; None if it was overwritten meanwhile, or does not unpack."""
        packed = PyBytes_FromStringAndSize(NULL, hit.len)
        memcpy(PyBytes_AS_STRING(packed), hit.value, hit.len)
        if not ph_cache_still(hit):
            return None
        if hit.raw == 0:
            return packed
        value = PyBytes_FromStringAndSize(NULL, hit.raw)
        if <uint32_t> LZ4_decompress_safe(
            PyBytes_AS_STRING(packed), PyBytes_AS_STRING(value), <int> hit.len, <int> hit.raw
        ) != hit.raw:
            return None
        return value

    def get(self, uint64_t h1, uint64_t h2, uint32_t tenant):
        cdef ph_cache_hit hit
        cdef uint32_t now = ph_cache_ticks(ph_coarse_ns())
        for _ in range(3):
            if not ph_cache_find(&self.c, h1, h2, tenant, now, 0, &hit):
                return None
            value = self.load(&hit)
            if value is not None:
                return value
        return None

    def get_stale(self, uint64_t h1, uint64_t h2, uint32_t tenant):
        found = self.look(h1, h2, tenant)
        return None if found is None else found[:2]

    def look(self, uint64_t h1, uint64_t h2, uint32_t tenant):
        cdef ph_cache_hit hit
        cdef uint32_t now = ph_cache_ticks(ph_coarse_ns())
        cdef int64_t past
        for _ in range(3):
            if not ph_cache_find(&self.c, h1, h2, tenant, now, 1, &hit):
                return None
            value = self.load(&hit)
            if value is not None:
                past = <int64_t> now - <int64_t> hit.expiry
                return value, past // TICKS + 1 if past >= 0 else past // TICKS, hit.flags
        return None

    def put(
        self, uint64_t h1, uint64_t h2, uint32_t tenant, bytes value not None, double ttl,
        double stale=0.0, uint32_t tag=0, double saves=1.0, uint16_t flags=0, bint compress=False,
    ):
        cdef uint64_t now = ph_coarse_ns()    # the clock that get reads: never behind it
        cdef uint64_t expiry = now + nanoseconds(ttl)
        cdef uint64_t last = expiry + nanoseconds(stale)
        cdef ph_cache_item item
        cdef char *packed = NULL
        cdef int length
        self.arena.must_write()
        if not 0 <= saves < 1e18:
            raise ValueError(f"a hit cannot save {saves}")
        item.h1 = h1
        item.h2 = h2
        item.tenant = tenant
        item.tag = tag
        item.value = <const uint8_t *> PyBytes_AS_STRING(value)
        item.len = PyBytes_GET_SIZE(value)
        item.raw = 0
        item.expiry = ph_cache_ticks(expiry)
        item.stale = ph_cache_ticks(last)
        item.flags = flags
        item.saves = saves
        if compress and PACK_FROM <= item.len <= ph_cache_max_value(&self.c):
            if self.skip[tag & 63]:
                self.skip[tag & 63] -= 1
            else:
                packed = <char *> malloc(item.len)
                # No room for more than three quarters: then it does not pay.
                length = 0 if packed is NULL else LZ4_compress_default(
                    PyBytes_AS_STRING(value), packed, <int> item.len, <int> (item.len // 4 * 3)
                )
                if length > 0:
                    item.raw = item.len
                    item.len = length
                    item.value = <const uint8_t *> packed
                else:
                    self.skip[tag & 63] = 15
        length = ph_cache_put(&self.c, &item, ph_cache_ticks(now))
        free(packed)
        if length != PH_PUT_OK:
            return 0
        return (sizeof(ph_entry) + item.len + PH_UNIT - 1) // PH_UNIT * PH_UNIT

    def delete(self, uint64_t h1, uint64_t h2, uint32_t tenant):
        cdef int found
        self.arena.must_write()
        found = ph_cache_delete(&self.c, h1, h2, tenant, ph_cache_ticks(ph_coarse_ns()))
        if found == PH_PUT_BUSY:
            raise TimeoutError("the cache shard stayed locked")
        return found != 0

    def invalidate_tag(self, uint32_t tag):
        self.arena.must_write()
        ph_cache_tag_next(&self.c, tag)

    def invalidate_tenant(self, uint32_t tenant):
        self.arena.must_write()
        ph_cache_tenant_next(&self.c, tenant)

    def clear(self):
        self.arena.must_write()
        ph_cache_clear(&self.c)

    def sweep(self, uint32_t tenant, uint16_t flags):
        cdef uint32_t now = ph_cache_ticks(ph_coarse_ns())
        cdef uint32_t shard, bucket
        cdef unsigned way
        cdef ph_entry e
        cdef int gone
        cdef size_t count = 0
        self.arena.must_write()
        for shard in range(self.c.n_shards):
            for bucket in range(self.c.n_buckets):
                for way in range(<unsigned> PH_WAYS):
                    if (ph_cache_peek(&self.c, shard, bucket, way, now, &e)
                            and e.tenant == tenant and e.flags == flags):
                        gone = ph_cache_delete(&self.c, e.h1, e.h2, tenant, now)
                        if gone == PH_PUT_BUSY:
                            raise TimeoutError("a cache shard stayed locked")
                        count += gone
        return count

    def stale(self, Py_ssize_t limit):
        cdef uint32_t now = ph_cache_ticks(ph_coarse_ns())
        cdef uint32_t shard, bucket
        cdef unsigned way
        cdef ph_entry e
        found = []
        for shard in range(self.c.n_shards):
            for bucket in range(self.c.n_buckets):
                for way in range(<unsigned> PH_WAYS):
                    if not ph_cache_peek(&self.c, shard, bucket, way, now, &e) or now < e.expiry:
                        continue
                    found.append((
                        (now - e.expiry) // <uint32_t> TICKS, (e.stale - now) // <uint32_t> TICKS,
                        e.tenant, e.tag, e.units * PH_UNIT, e.flags,
                    ))
                    if len(found) >= 4 * limit:    # bounded however many there are
                        found = sorted(found, reverse=True)[:limit]
        return sorted(found, reverse=True)[:limit]

    def census(self):
        cdef uint32_t now = ph_cache_ticks(ph_coarse_ns())
        cdef uint32_t shard, bucket
        cdef unsigned way
        cdef ph_entry e
        found = {}
        for shard in range(self.c.n_shards):
            for bucket in range(self.c.n_buckets):
                for way in range(<unsigned> PH_WAYS):
                    if ph_cache_peek(&self.c, shard, bucket, way, now, &e):
                        at = (e.tenant, e.tag)
                        entries, size, old = found.get(at, (0, 0, 0))
                        found[at] = (
                            entries + 1, size + <uint64_t> e.units * PH_UNIT,
                            old + (now >= e.expiry),
                        )
        return found

    def stats(self):
        cdef ph_cache_stats t
        ph_cache_count(&self.c, &t)
        return {
            "entries": t.entries, "bytes": t.bytes, "capacity": t.capacity, "puts": t.puts,
            "refused": t.refused, "evicted": t.evicted, "moved": t.moved,
            "lock_busy": t.lock_busy,
        }

    def set_room(self, unsigned thousandths):
        self.arena.must_write()
        if not 1 <= thousandths <= 1000:
            raise ValueError(f"a log's room is 1 to 1000 thousandths, not {thousandths}")
        ph_store_rlx(&self.c.head.room, thousandths if thousandths < 1000 else 0)

    def trim(self):
        self.arena.must_write()
        return ph_cache_trim(
            &self.c, ph_cache_ticks(ph_coarse_ns()), self.arena.base, self.arena.page,
        )

    def room(self):
        return ph_load_rlx(&self.c.head.room) or 1000

    def recover(self, uint32_t owner):
        self.arena.must_write()
        return ph_cache_recover(&self.c, owner)

    def set_owner(self, uint32_t owner):
        if owner == 0:
            raise ValueError("an owner is slot << 16 | incarnation, and no incarnation is 0")
        self.c.owner = owner
