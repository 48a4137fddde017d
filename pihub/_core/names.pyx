# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Short strings by number, for records of fixed size.

Promise   equal names have one number, in all processes, for the arena's life.
Layout    | ph_head | row[capacity] x (word u64, length u8, text[119]) | (include/ph_names.h)
Writers   any process; one compare-and-swap to add a name. Readers: any.
Cost      intern walks the rows (2 ns each): callers keep a dict of what they know.
Failure   a process killed while adding leaves a row that the next one completes.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from pihub._core.arena cimport PH_KIND_NAMES, PH_LINE, Arena, ph_header
from pihub._core.atomics cimport ph_load_acq


@cython.final
cdef class Names:
    """Names(arena, region): as many as the region holds, at most 65,535. RAM: 128 bytes each."""

    def __cinit__(self, Arena arena not None, str region not None):
        _, length = arena.region(region)
        if length < 2 * PH_LINE:
            raise ValueError(f"region {region!r} is too small for names: {length} bytes")
        self.capacity = min((<uint64_t> length - PH_LINE) // PH_LINE, <uint64_t> 65535)
        need = PH_LINE + <size_t> self.capacity * PH_LINE
        self.rows = <ph_name *> arena.open(region, PH_KIND_NAMES, need, self.capacity, 0, 0, 0)
        self.key = (<ph_header *> arena.base).secret + 16
        self._arena = arena

    @staticmethod
    def size_for(uint32_t capacity):
        """Bytes of a region for so many names (1 to 65,535, ValueError otherwise)."""
        if not 1 <= capacity <= 65535:
            raise ValueError(f"1 to 65535 names, not {capacity}")
        return PH_LINE + <size_t> capacity * PH_LINE

    def intern(self, str name not None):
        """From 1; 0 when the table is full, and for the empty string.

        At most 119 bytes of UTF-8 are kept, cut between characters.
        """
        cdef Py_ssize_t n
        text = name.encode("utf-8", "replace")
        n = PyBytes_GET_SIZE(text)
        if n == 0:
            return 0
        if n > PH_NAME_TEXT:
            n = PH_NAME_TEXT
            while (<uint8_t> PyBytes_AS_STRING(text)[n]) & 0xC0 == 0x80:
                n -= 1
        self._arena.must_write()
        return ph_name_intern(
            self.rows, self.capacity, self.key,
            <const uint8_t *> PyBytes_AS_STRING(text), <uint8_t> n)

    def lookup(self, uint32_t index):
        """The empty string for 0 or an unknown index."""
        cdef ph_name *row
        if not 1 <= index <= self.capacity:
            return ""
        row = &self.rows[index - 1]
        if ph_load_acq(&row.word) & 3 != PH_NAME_READY:
            return ""
        return (<const char *> row.text)[:row.length].decode("utf-8", "replace")

    def __len__(self):
        cdef uint32_t low = 0, high = self.capacity, middle
        while low < high:
            middle = (low + high) // 2
            if ph_load_acq(&self.rows[middle].word):
                low = middle + 1
            else:
                high = middle
        return low
