# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Fair, bounded queues before upstreams that serve few requests at a time.

Promise   never more than a queue's width run, never more than its capacity wait; keys take
          turns by predicted cost; a dead process's tickets are freed.
Layout    | head | ph_queue x rows | (ph_queue.h); 8.4 KiB a row, touched when used.
Writers   anyone, by compare-and-swap. Configuration: the arbiter.
Cost      a look at 128 tickets, under 1 us.
Failure   a process killed anywhere leaves its tickets until `recover`.
"""
cimport cython
from libc.stdint cimport uint32_t, uint64_t

from pihub._core.arena cimport PH_KIND_QUEUE, Arena, ph_head
from pihub._core.atomics cimport ph_load_acq, ph_load_acq32, ph_store_rel32

TICKETS = PH_QUEUE_TICKETS
WIDTH = PH_QUEUE_WIDTH


@cython.final
cdef class Queue:
    """Queue(arena, region, rows)"""

    def __cinit__(self, Arena arena not None, str region not None, size_t rows):
        if rows == 0:
            raise ValueError("a table of queues needs at least one row")
        self.arena = arena
        self.n_rows = rows
        self.rows = <ph_queue *> arena.open(
            region, PH_KIND_QUEUE, sizeof(ph_head) + rows * sizeof(ph_queue),
            rows, sizeof(ph_queue), 0, 0,
        )

    @staticmethod
    def size_for(size_t rows):
        return sizeof(ph_head) + rows * sizeof(ph_queue)

    cdef ph_queue *at(self, size_t row) except NULL:
        if row >= self.n_rows:
            raise IndexError(f"row {row} of {self.n_rows}")
        return self.rows + row

    def configure(self, size_t row, uint32_t width, uint32_t capacity):
        cdef ph_queue *queue = self.at(row)
        self.arena.must_write()
        if width > <uint32_t> PH_QUEUE_WIDTH or width + capacity > <uint32_t> PH_QUEUE_TICKETS:
            raise ValueError(
                f"at most {PH_QUEUE_WIDTH} at once and {PH_QUEUE_TICKETS} with those that wait")
        ph_store_rel32(&queue.capacity, capacity)
        ph_store_rel32(&queue.width, width)

    def enter(
        self, size_t row, uint32_t slot, uint32_t key, uint32_t model, uint32_t cost_ms,
        uint32_t swap_ms, uint64_t now_ms,
    ):
        cdef ph_queue *queue = self.at(row)
        self.arena.must_write()
        return ph_queue_enter(queue, slot, key, model, cost_ms, swap_ms, now_ms)

    def turn(self, size_t row, int ticket, uint64_t now_ms):
        cdef ph_queue *queue = self.at(row)
        cdef uint64_t eta
        cdef int position
        if not 0 <= ticket < PH_QUEUE_TICKETS:
            raise IndexError(f"ticket {ticket}")
        self.arena.must_write()
        position = ph_queue_turn(queue, ticket, now_ms, &eta)
        return position, eta

    def leave(self, size_t row, int ticket, uint64_t now_ms):
        cdef ph_queue *queue = self.at(row)
        if not 0 <= ticket < PH_QUEUE_TICKETS:
            raise IndexError(f"ticket {ticket}")
        self.arena.must_write()
        ph_queue_leave(queue, ticket, now_ms)

    def load(self, size_t row, uint64_t now_ms):
        cdef uint32_t waiting, running
        cdef uint64_t ms = ph_queue_load(self.at(row), now_ms, &waiting, &running)
        return waiting, running, ms

    def last(self, size_t row):
        cdef ph_queue *queue = self.at(row)
        return ph_load_acq32(&queue.model), ph_load_acq(&queue.used)

    def recover(self, uint32_t slot):
        cdef size_t row
        self.arena.must_write()
        for row in range(self.n_rows):
            if ph_load_acq32(&self.rows[row].width):
                ph_queue_recover(self.rows + row, slot)
