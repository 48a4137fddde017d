# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Rings of 128-byte event records, one ring a worker.

Promise   push never blocks, never allocates, never fails; it overwrites the oldest record.
Layout    | ph_head | ring: head u64, pad to 128, alarm u64, pad to 128, record x capacity | ring |
Writers   one process a ring (its slot); its next incarnation goes on where it stopped.
Reader    any; copies, fences, re-reads `head`; what may have been overwritten counts as lost.
          One of them sets alarms, and sleeps until a ring has so many records.
Cost      one copy of 128 bytes and a release store (2 ns in C); a system call at an alarm.
Failure   a writer killed inside of a push has published nothing; a reader's death is not
          noticed. Who keeps the cursor decides where a reader goes on.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from pihub._core.arena cimport PH_KIND_RING, PH_LINE, Arena, ph_event
from pihub._core.atomics cimport ph_load_acq, ph_store_rlx

RECORD = sizeof(ph_event)


@cython.final
cdef class Ring:
    """Ring(arena, region, rings, capacity, wake); capacity (records a ring) is a power of two.

    RAM: 128 bytes a record, taken when first written. capacity - 1 records can be unread.
    """

    def __cinit__(
        self, Arena arena not None, str region not None, uint32_t rings, uint32_t capacity,
        int wake=-1,
    ):
        need = Ring.size_for(rings, capacity)
        self.r.base = arena.open(region, PH_KIND_RING, need, rings, capacity, 0, 0)
        self.r.stride = ph_rings_stride(capacity)
        self.r.rings = rings
        self.r.capacity = capacity
        self.r.wake = wake
        self.capacity = capacity
        self._arena = arena

    @staticmethod
    def size_for(uint32_t rings, uint32_t capacity):
        """Bytes of a region. ValueError unless capacity is a power of two, 2 to 2**24."""
        if rings < 1 or capacity < 2 or capacity > 1 << 24 or capacity & (capacity - 1):
            raise ValueError(f"rings >= 1 and a capacity of 2**n, not {rings}, {capacity}")
        return PH_LINE + rings * ph_rings_stride(capacity)

    def push(self, uint32_t ring, bytes record not None):
        """Append `record` (RECORD bytes). Only the ring's owner writes."""
        if ring >= self.r.rings:
            raise IndexError(f"ring {ring} of {self.r.rings}")
        if PyBytes_GET_SIZE(record) != sizeof(ph_event):
            raise ValueError(f"a record has {RECORD} bytes, not {len(record)}")
        self._arena.must_write()
        ph_ring_push(&self.r, ring, <const ph_event *> PyBytes_AS_STRING(record))

    def head(self, uint32_t ring):
        """How many records were ever pushed."""
        if ring >= self.r.rings:
            raise IndexError(f"ring {ring} of {self.r.rings}")
        return ph_load_acq(ph_ring_head(&self.r, ring))

    def alarm(self, uint32_t ring, uint64_t at):
        """Wake the reader when `at` records were ever pushed; 0: never. Only the reader sets."""
        if ring >= self.r.rings:
            raise IndexError(f"ring {ring} of {self.r.rings}")
        self._arena.must_write()
        ph_store_rlx(ph_ring_alarm(&self.r, ring), at)

    @staticmethod
    def settle():
        """After `alarm`, before the last look at the heads and sleep; see ring.pyi."""
        cdef int done
        with nogil:
            done = ph_ring_settle()
        return done == 0

    def read(self, uint32_t ring, uint64_t cursor, uint32_t limit):
        """Up to `limit` records from number `cursor` on: (new cursor, lost, records).

        Each record from cursor to the new cursor is in `records` or counted in `lost`.
        Raises ValueError for a cursor beyond the head (it belongs to another arena).
        """
        cdef uint64_t head, first, safe, i, end
        if ring >= self.r.rings:
            raise IndexError(f"ring {ring} of {self.r.rings}")
        head = ph_load_acq(ph_ring_head(&self.r, ring))
        if cursor > head:
            raise ValueError(f"cursor {cursor} is beyond the head {head}")
        first = max(cursor, ph_ring_oldest(&self.r, head))
        end = head if head - first < limit else first + limit
        records = []
        for i in range(first, end):
            copy = PyBytes_FromStringAndSize(NULL, sizeof(ph_event))
            memcpy(PyBytes_AS_STRING(copy), ph_ring_record(&self.r, ring, i), sizeof(ph_event))
            records.append(copy)
        safe = ph_ring_safe(&self.r, ring)
        if safe > first:
            del records[:safe - first]
            first = safe if safe < end else end
        return end, first - cursor, records
