# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Which of many literals occur in some bytes.

Promise   one pass, whatever the number of patterns; finds what a search for each folded
          pattern in the folded data would find. `Matcher` (two loads a byte) also finds
          what lies across chunks; `Literals` (Teddy) takes 16 or 32 places at a time;
          `classes` tells which kinds of bytes occur at all.
Writers   the constructor. Readers: any thread.
Cost      RAM: at most (bytes of all patterns + 1) x (distinct bytes + 1) x 4, see `memory`;
          Literals 17 KiB + 24 bytes a literal + their bytes.
Failure   too many pattern bytes (16 Mi) or an empty pattern: ValueError when built.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy, memset


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

    def feed(self, bytes data not None, uint32_t state=0):
        cdef size_t at = 0
        cdef uint32_t end, found
        if state >= self.ac.states:
            raise ValueError(f"state {state} is not of this matcher")
        end = ph_ac_scan(
            &self.ac, <const uint8_t *> PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), &at, &state
        )
        if end == 0:
            return -1, at, state
        found = end if self.ac.ends[end] != PH_AC_NONE else self.ac.link[end]
        return self.ac.ends[found], at, state

    def control(self, bytes data not None):
        cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
        return ph_has_control(p, PyBytes_GET_SIZE(data)) != 0


@cython.final
@cython.no_gc
cdef class Literals:
    """Literals(patterns)"""

    def __cinit__(self, tuple patterns not None):
        cdef Py_ssize_t i, k, n, used = 0
        cdef const uint8_t *p
        cdef ph_literal *one
        memset(&self.t, 0, sizeof(self.t))
        if len(patterns) > PH_TEDDY_MAX:
            raise ValueError(f"{len(patterns)} literals are too many, at most {PH_TEDDY_MAX}")
        for pattern in patterns:
            if type(pattern) is not bytes or not 2 <= len(pattern) <= 255:
                raise ValueError("a literal is a bytes object of 2 to 255 bytes")
            used += PyBytes_GET_SIZE(pattern)
        self.t.lits = <ph_literal *> calloc(len(patterns) + 1, sizeof(ph_literal))
        self.t.text = <uint8_t *> calloc(used + 4, 1)
        if self.t.lits is NULL or self.t.text is NULL:
            raise MemoryError
        used = 0
        for i in range(len(patterns)):
            pattern = patterns[i]
            p = <const uint8_t *> PyBytes_AS_STRING(pattern)
            n = PyBytes_GET_SIZE(pattern)
            one = self.t.lits + i
            one.at = used
            one.len = n
            one.index = i
            for k in range(n):
                self.t.text[used + k] = ph_fold(p[k])
            memcpy(&one.word, self.t.text + used, min(n, 4))
            memset(&one.mask, 0xFF, min(n, 4))
            used += n
        self.t.count = len(patterns)
        ph_teddy_build(&self.t)

    def __dealloc__(self):
        ph_teddy_free(&self.t)

    def first(self, bytes data not None, size_t start=0, str engine=""):
        cdef size_t n = PyBytes_GET_SIZE(data)
        cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
        cdef ph_hit hit
        start = min(start, n)
        if engine == "":
            hit = ph_teddy_find(&self.t, p, n, start)
        elif engine == "narrow":
            hit = ph_teddy_narrow(&self.t, p, n, start)
        elif engine == "scalar":
            hit = ph_teddy_scalar(&self.t, p, n, start)
        else:
            raise ValueError(f"no engine {engine!r}: narrow or scalar")
        return None if hit.index == PH_AC_NONE else (hit.index, hit.at)


def classes(bytes data not None, str engine=""):
    cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
    cdef size_t n = PyBytes_GET_SIZE(data)
    if engine == "":
        return ph_class_scan(p, n)
    if engine == "scalar":
        return ph_class_scalar(p, n)
    if engine == "baseline":
        return ph_class_baseline(p, n)
    raise ValueError(f"no engine {engine!r}: baseline or scalar")
