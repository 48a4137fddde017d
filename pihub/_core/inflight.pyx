# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Single-flight across processes: who is answering which key.

Promise   of one key there is at most one leader whose lease runs, over all processes.
Layout    | head | buckets of 8 words and 8 waiter sets | (ph_inflight.h); 16 bytes a word.
Writers   every process; the arbiter (or control process) for a dead one, by recover().
Cost      begin and end: a compare-and-swap each, and one eventfd write a waiting worker.
Failure   a dead leader: recover() at once, else its lease runs out. A wake-up may come for
          nothing, so followers look into the cache and call begin() again.
"""
cimport cython
from libc.stdint cimport uint64_t

from pihub._core.arena cimport PH_KIND_INFLIGHT, Arena, ph_head


cdef uint64_t n_buckets(uint64_t slots) noexcept:
    cdef uint64_t n = (slots + PH_FL_WAYS - 1) // PH_FL_WAYS
    return n if n else 1


@cython.final
cdef class Inflight:
    """Inflight(arena, region, eventfds): the table fills its region."""

    def __cinit__(self, Arena arena not None, str region not None, tuple eventfds not None):
        cdef uint64_t room = arena.region(region)[1]
        cdef uint64_t n
        cdef int i
        if len(eventfds) > 65:
            raise ValueError(f"at most 65 eventfds, not {len(eventfds)}")
        if room < sizeof(ph_head) + sizeof(ph_flight_bucket):
            raise ValueError(f"region {region!r} is too small for an in-flight table")
        n = (room - sizeof(ph_head)) // sizeof(ph_flight_bucket)
        if n >> 32:
            raise ValueError(f"region {region!r} is too large")
        self.arena = arena
        self.f.buckets = <ph_flight_bucket *> arena.open(
            region, PH_KIND_INFLIGHT, sizeof(ph_head) + n * sizeof(ph_flight_bucket),
            n, PH_FL_WAYS, 0, 0,
        )
        for i in range(len(eventfds)):
            self.fds[i] = eventfds[i]
        self.f.n = n
        self.f.eventfd = self.fds
        self.f.n_fds = len(eventfds)

    @staticmethod
    def size_for(uint64_t slots):
        return sizeof(ph_head) + n_buckets(slots) * sizeof(ph_flight_bucket)

    cdef int check(self, unsigned slot) except -1:
        if slot >= self.f.n_fds:
            raise IndexError(f"slot {slot} of {self.f.n_fds}")
        self.arena.must_write()
        return 0

    def begin(self, uint64_t h, unsigned slot, uint64_t lease_ms, uint64_t now_ms):
        cdef int what
        self.check(slot)
        what = ph_fl_begin(&self.f, h, slot, lease_ms, now_ms)
        return None if what == PH_FL_FULL else what == PH_FL_LEAD

    def renew(self, uint64_t h, unsigned slot, uint64_t lease_ms, uint64_t now_ms):
        self.check(slot)
        return ph_fl_renew(&self.f, h, slot, lease_ms, now_ms) != 0

    def end(self, uint64_t h, unsigned slot):
        self.check(slot)
        ph_fl_end(&self.f, h, slot)

    def led(self, uint64_t h, uint64_t now_ms):
        cdef uint64_t w
        return ph_fl_leader(ph_fl_bucket(&self.f, h), h, now_ms, &w) >= 0

    def leader(self, uint64_t h, uint64_t now_ms):
        cdef uint64_t w
        if ph_fl_leader(ph_fl_bucket(&self.f, h), h, now_ms, &w) < 0:
            return -1
        return PH_FL_WORKER(w)

    def followed(self, uint64_t h, unsigned slot):
        self.check(slot)
        return ph_fl_news(&self.f, h, slot, 0) != 0

    def tell(self, uint64_t h, unsigned slot):
        self.check(slot)
        return ph_fl_news(&self.f, h, slot, 1) != 0

    def leave(self, uint64_t h, unsigned slot):
        # The worker's bit stays: another of its requests may follow the same key. What
        # it costs is one wake-up for nothing.
        self.check(slot)

    def recover(self, unsigned slot):
        self.check(slot)
        return ph_fl_recover(&self.f, slot)
