# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Circuit breakers shared by all processes.

Promise   `failures` failed calls within the window, in whichever processes, open the
          breaker; when half-open, one caller a lease probes, never two.
Layout    | head | ph_breaker x rows | (ph_breaker.h); 256 bytes a row.
Writers   anyone, by compare-and-swap. Configuration: the control process.
Cost      allow: one load while closed. record: one CAS; a failure also adds up 16 words.
Failure   a writer that dies leaves a valid state; a dead prober's lease runs out.
"""
cimport cython
from libc.stdint cimport uint32_t, uint64_t

from pihub._core.arena cimport PH_KIND_BREAKER, Arena, ph_head
from pihub._core.atomics cimport ph_load_acq

CLOSED = PH_CLOSED
OPEN = PH_OPEN
HALF_OPEN = PH_HALF_OPEN


@cython.final
cdef class Breaker:
    """Breaker(arena, region, rows)"""

    def __cinit__(self, Arena arena not None, str region not None, size_t rows):
        if rows == 0:
            raise ValueError("a breaker table needs at least one row")
        self.arena = arena
        self.n_rows = rows
        self.rows = <ph_breaker *> arena.open(
            region, PH_KIND_BREAKER, sizeof(ph_head) + rows * sizeof(ph_breaker),
            rows, sizeof(ph_breaker), 0, 0,
        )

    @staticmethod
    def size_for(size_t rows):
        return sizeof(ph_head) + rows * sizeof(ph_breaker)

    cdef ph_breaker *at(self, size_t row) except NULL:
        if row >= self.n_rows:
            raise IndexError(f"row {row} of {self.n_rows}")
        return self.rows + row

    def configure(
        self, size_t row, uint32_t failures, uint32_t window_ms, uint32_t open_ms,
        uint32_t probe_ms,
    ):
        cdef ph_breaker *b = self.at(row)
        self.arena.must_write()
        if failures and not (window_ms and open_ms and probe_ms):
            raise ValueError("window, open and probe times must be at least 1 ms")
        ph_br_set(b, failures, window_ms, open_ms, probe_ms)

    def allow(self, size_t row, uint64_t now_ms):
        cdef ph_breaker *b = self.at(row)
        self.arena.must_write()
        return ph_br_allow(b, now_ms) != 0

    def record(self, size_t row, bint ok, uint64_t now_ms):
        cdef ph_breaker *b = self.at(row)
        self.arena.must_write()
        ph_br_record(b, ok, now_ms)

    def probe(self, size_t row):
        return ph_br_probe(self.at(row))

    def release(self, size_t row, uint64_t probe, uint64_t now_ms):
        cdef ph_breaker *b = self.at(row)
        self.arena.must_write()
        ph_br_release(b, probe, now_ms)

    def state(self, size_t row, uint64_t now_ms):
        cdef uint64_t s = ph_load_acq(&self.at(row).state)
        if ph_br_kind(s) == <unsigned> PH_OPEN and now_ms >= ph_br_until(s):
            return HALF_OPEN
        return ph_br_kind(s)

    def counts(self, size_t row, uint64_t now_ms):
        cdef uint64_t ok = 0, failed = 0
        ph_br_counts(self.at(row), now_ms, &ok, &failed)
        return ok, failed

    def retry_in_ms(self, size_t row, uint64_t now_ms):
        cdef uint64_t s = ph_load_acq(&self.at(row).state)
        if ph_br_kind(s) == <unsigned> PH_CLOSED or now_ms >= ph_br_until(s):
            return 0
        return ph_br_until(s) - now_ms

    def force(self, size_t row, int state, uint64_t now_ms):
        cdef ph_breaker *b = self.at(row)
        self.arena.must_write()
        if state not in (CLOSED, OPEN, HALF_OPEN):
            raise ValueError(f"no such state: {state}")
        ph_br_force(b, state, now_ms)

    def hold(self, size_t row, int state, uint64_t until_ms):
        cdef ph_breaker *b = self.at(row)
        self.arena.must_write()
        if state not in (CLOSED, OPEN):
            raise ValueError(f"not a state to hold: {state}")
        ph_br_hold(b, state, until_ms)

    def unhold(self, size_t row, uint64_t now_ms):
        cdef ph_breaker *b = self.at(row)
        self.arena.must_write()
        ph_br_unhold(b, now_ms)

    def held(self, size_t row, uint64_t now_ms):
        cdef ph_breaker *b = self.at(row)
        # One load: the hold may be taken back between two, and then no time is left of it.
        cdef uint64_t word = ph_load_acq(&b.hold)
        cdef int kind = ph_br_held(word, now_ms)
        if kind < 0:
            return None
        return kind, ph_br_until(word) - now_ms
