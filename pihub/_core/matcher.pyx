# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Which of many literals occur in some bytes.

Promise   one pass, two loads a byte, whatever the number of patterns; finds what a search
          for each folded pattern in the folded data would find.
Writers   the constructor. Readers: any thread.
Cost      RAM: at most (bytes of all patterns + 1) x (distinct bytes + 1) x 4, see `memory`.
Failure   too many pattern bytes (16 Mi) or an empty pattern: ValueError when built.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset


@cython.final
@cython.no_gc
cdef class Matcher:
    """Matcher(patterns)"""

    def __cinit__(self, tuple patterns not None):
        cdef uint8_t[256] used
        cdef size_t total = 0
        cdef const uint8_t *p
        cdef Py_ssize_t i
        memset(used, 0, sizeof(used))
        for pattern in patterns:
            if type(pattern) is not bytes or not pattern:
                raise ValueError("a pattern is a non-empty bytes object")
            p = <const uint8_t *> PyBytes_AS_STRING(pattern)
            for i in range(PyBytes_GET_SIZE(pattern)):
                used[ph_fold(p[i])] = 1
            total += PyBytes_GET_SIZE(pattern)
        if total >= 1 << 24:
            raise ValueError(f"{total} bytes of patterns are too many")
        if not ph_ac_start(&self.ac, used, total, len(patterns)):
            raise MemoryError
        for i in range(len(patterns)):
            pattern = patterns[i]
            p = <const uint8_t *> PyBytes_AS_STRING(pattern)
            ph_ac_add(&self.ac, p, PyBytes_GET_SIZE(pattern), i)
        if not ph_ac_finish(&self.ac):
            raise MemoryError

    def __dealloc__(self):
        ph_ac_free(&self.ac)

    @property
    def memory(self):
        return self.ac.memory

    def first(self, bytes data not None):
        cdef size_t at = 0
        cdef uint32_t state = 0
        state = ph_ac_scan(
            &self.ac, <const uint8_t *> PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), &at, &state
        )
        if state == 0:
            return -1
        if self.ac.ends[state] == PH_AC_NONE:
            state = self.ac.link[state]
        return self.ac.ends[state]

    def all(self, bytes data not None, Py_ssize_t limit=64):
        cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
        cdef size_t n = PyBytes_GET_SIZE(data)
        cdef size_t at = 0
        cdef uint32_t state = 0, end, pattern
        found = []
        while len(found) < limit:
            end = ph_ac_scan(&self.ac, p, n, &at, &state)
            if end == 0:
                break
            while end:
                pattern = self.ac.ends[end]
                while pattern != PH_AC_NONE:
                    if len(found) < limit:
                        found.append((pattern, at))
                    pattern = self.ac.same[pattern]
                end = self.ac.link[end]
        return found

    def control(self, bytes data not None):
        cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
        return ph_has_control(p, PyBytes_GET_SIZE(data)) != 0
