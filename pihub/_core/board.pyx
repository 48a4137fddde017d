# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""A blob that one process replaces whole and all others copy whole.

Promise   a reader gets one published blob, never a mixture; a publish never waits.
Layout    | ph_head | generation, lengths | buffer 0 | buffer 1 | (include/ph_board.h)
Writers   one process (the control process, for settings and prices).
Readers   anyone; copy, fence, re-read the generation, again if it moved.
Cost      a copy of the blob on each side; `generation` alone is one load (to poll with).
Failure   a writer killed inside of a publish leaves the previous blob in force.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from pihub._core.arena cimport PH_KIND_BOARD, PH_LINE, Arena
from pihub._core.atomics cimport ph_load_acq

# Copies in a row that a writer may spoil; it would have to publish without any pause.
cdef enum:
    TRIES = 10000


@cython.final
cdef class Board:
    """Board(arena, region): its capacity is what the region holds twice. RAM: 2 x capacity."""

    def __cinit__(self, Arena arena not None, str region not None):
        _, length = arena.region(region)
        if length < 2 * PH_LINE + 2 * PH_LINE:
            raise ValueError(f"region {region!r} is too small for a board: {length} bytes")
        self.capacity = (<uint64_t> length - 2 * PH_LINE) // 2 // PH_LINE * PH_LINE
        need = 2 * PH_LINE + 2 * self.capacity
        self.b = <ph_board *> arena.open(region, PH_KIND_BOARD, need, self.capacity, 0, 0, 0)
        self._arena = arena

    @staticmethod
    def size_for(uint64_t capacity):
        """Bytes of a region for blobs of up to `capacity` bytes."""
        return 2 * PH_LINE + 2 * max((capacity + PH_LINE - 1) // PH_LINE, <uint64_t> 1) * PH_LINE

    def publish(self, bytes data not None):
        """Returns the new generation (from 1). Raises ValueError if too large."""
        cdef uint64_t n = PyBytes_GET_SIZE(data)
        if n > self.capacity:
            raise ValueError(f"{n} bytes do not fit a board of {self.capacity}")
        self._arena.must_write()
        return ph_board_publish(self.b, self.capacity, <const uint8_t *> PyBytes_AS_STRING(data), n)

    def generation(self):
        """0 before the first publish."""
        return ph_load_acq(&self.b.generation)

    def read(self):
        """(generation, copy); (0, b"") if nothing was published.

        Raises RuntimeError if the writer never pauses.
        """
        cdef uint64_t g
        cdef int _try
        for _try in range(TRIES):
            g = ph_load_acq(&self.b.generation)
            if g == 0:
                return 0, b""
            n = ph_board_length(self.b, self.capacity, g)
            copy = PyBytes_FromStringAndSize(NULL, n)
            memcpy(PyBytes_AS_STRING(copy), ph_board_buffer(self.b, self.capacity, g), n)
            if ph_board_whole(self.b, g):
                return g, copy
        raise RuntimeError("the board's writer does not pause")
