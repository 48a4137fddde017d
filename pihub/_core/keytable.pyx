# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Who sends this API key: identity of the token -> key, tenant, flags.

Promise   find takes no lock and never returns one identity's value for another; it compares
          128 bits of SipHash-2-4 keyed with the installation's pepper. No token is kept.
Layout    | ph_head | generation, count, pepper | row[slots] x 64 | (include/ph_keytable.h)
Writers   one: the control process. Readers: all workers.
Cost      SipHash of the token and one or two cache lines: about 40 ns in C.
Failure   a writer killed at any point leaves the old or the new row; `publish` recounts.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from pihub._core.arena cimport PH_KIND_KEYTABLE, PH_LINE, Arena
from pihub._core.atomics cimport ph_add_rlx, ph_load_acq, ph_load_rlx, ph_store_rel

cdef extern from "ph_keytable.h" nogil:
    size_t KEYS_HEAD "sizeof(ph_keys_head)"
    size_t KEY_ROW "sizeof(ph_key_row)"


@cython.final
cdef class KeyTable:
    """KeyTable(arena, region): as many keys as the region holds (see size_for)."""

    def __cinit__(self, Arena arena not None, str region not None):
        cdef uint64_t slots = 4
        _, length = arena.region(region)
        while PH_LINE + KEYS_HEAD + 2 * slots * KEY_ROW <= <uint64_t> length:
            slots *= 2
        need = PH_LINE + KEYS_HEAD + slots * KEY_ROW
        self.t.head = <ph_keys_head *> arena.open(region, PH_KIND_KEYTABLE, need, slots, 0, 0, 0)
        self.t.row = <ph_key_row *> (self.t.head + 1)
        self.t.mask = slots - 1
        self.t.capacity = slots // 4 * 3
        self.capacity = self.t.capacity
        self._arena = arena

    @staticmethod
    def size_for(uint32_t capacity):
        """Bytes of a region for at least `capacity` keys (85-170 bytes each)."""
        cdef uint64_t slots = 4
        while slots // 4 * 3 < capacity:
            slots *= 2
        return PH_LINE + KEYS_HEAD + slots * KEY_ROW

    def set_pepper(self, bytes pepper not None):
        """16 bytes; once, before fork or by the control process.

        Raises ValueError for another length, or another pepper than the one already set.
        """
        if PyBytes_GET_SIZE(pepper) != 16:
            raise ValueError("the pepper has 16 bytes")
        self._arena.must_write()
        if ph_load_acq(&self.t.head.peppered):
            if memcmp(self.t.head.pepper, PyBytes_AS_STRING(pepper), 16) != 0:
                raise ValueError("the key table has another pepper")
            return
        memcpy(self.t.head.pepper, PyBytes_AS_STRING(pepper), 16)
        ph_store_rel(&self.t.head.peppered, 1)

    def hash(self, bytes token not None):
        """The token's identity, two u64. Raises ValueError before the pepper is set."""
        cdef uint64_t[2] h
        if not ph_load_acq(&self.t.head.peppered):
            raise ValueError("the key table has no pepper yet")
        ph_siphash128(
            self.t.head.pepper,
            <const uint8_t *> PyBytes_AS_STRING(token), PyBytes_GET_SIZE(token), h)
        return h[0], h[1]

    def put(
        self, tuple h not None, uint32_t key, uint16_t tenant, uint16_t flags, uint64_t expires
    ):
        """Add a key or change what it stands for. False when the table is full.

        `expires` in unix seconds, 0 = never.
        """
        cdef uint64_t h0, h1
        cdef uint64_t who = (<uint64_t> key) << 32 | (<uint64_t> tenant) << 16 | flags
        h0, h1 = h
        self._arena.must_write()
        return ph_key_put(&self.t, h0, h1, who, expires) != 0

    def remove(self, tuple h not None):
        """False if it was not there."""
        cdef uint64_t h0, h1
        h0, h1 = h
        self._arena.must_write()
        return ph_key_remove(&self.t, h0, h1) != 0

    def find(self, bytes token not None, uint64_t now):
        """(key, tenant, flags) of a live key; None also before the pepper is set."""
        cdef ph_key_id who
        cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(token)
        if ph_key_find(&self.t, p, PyBytes_GET_SIZE(token), now, &who):
            return who.key, who.tenant, who.flags
        return None

    def hashes(self):
        """All identities in the table, so that a restarted writer can remove stale ones."""
        cdef uint64_t i, h0
        out = []
        for i in range(self.t.mask + 1):
            h0 = ph_load_acq(&self.t.row[i].h0)
            if h0 > 1:
                out.append((h0, ph_load_rlx(&self.t.row[i].h1)))
        return out

    def publish(self):
        """Marks the table as loaded; generation from 1."""
        self._arena.must_write()
        ph_key_recount(&self.t)
        return ph_add_rlx(&self.t.head.generation, 1) + 1

    def generation(self):
        """0 before the first publish."""
        return ph_load_acq(&self.t.head.generation)

    def __len__(self):
        return ph_load_rlx(&self.t.head.count)
