# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Where a finished request is counted, timed and recorded: one call, no clock in Python.

Promise   whatever numbers it is given, a request is counted once and its record is whole;
          what does not fit a field becomes the field's largest value, below zero is zero.
Layout    rows of the counters, routes, latency and ring regions (include/ph_journal.h)
Writers   one process a slot.
Cost      one clock read, about 15 stores and 31 small integers: below a microsecond.
Failure   a number that is none raises before anything was counted.
"""
cimport cython
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from pihub._core.counters cimport Counters
from pihub._core.histogram cimport Histogram, ph_hist_record
from pihub._core.ring cimport Ring

cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object n, int *overflow) except? -1
    unsigned long long PyLong_AsUnsignedLongLong(object n) except? 0xFFFFFFFFFFFFFFFF

cdef enum:
    KEPT_STAGES = 5             # of ph_event


cdef inline int64_t whole(object n) except? -1:
    cdef int beyond = 0
    cdef int64_t value = PyLong_AsLongLongAndOverflow(n, &beyond)
    if beyond:
        return INT64_MAX if beyond > 0 else INT64_MIN
    return value


cdef inline uint32_t upto(object n, int64_t most) except? 0xFFFFFFFF:
    cdef int64_t value = whole(n)
    if value > most:
        return <uint32_t> most
    return <uint32_t> value if value > 0 else 0


cdef inline uint32_t u32(object n) except? 0xFFFFFFFF:
    return upto(n, 0xFFFFFFFF)


cdef inline uint16_t u16(object n) except? 0xFFFF:
    return <uint16_t> upto(n, 0xFFFF)


cdef inline uint8_t u8(object n) except? 0xFF:
    return <uint8_t> upto(n, 0xFF)


@cython.final
cdef class Journal:
    """Journal(counters, routes, latency, ring, slot): one process's journal."""

    def __cinit__(
        self, Counters counters not None, Counters routes not None, Histogram latency not None,
        Ring ring not None, uint32_t slot,
    ):
        rows = min(counters.c.rows, routes.c.rows, latency.h.rows, ring.r.rings)
        if slot >= rows:
            raise IndexError(f"slot {slot} has no row of its own, there are {rows}")
        if counters.c.columns < PH_JOURNAL_COLUMNS or latency.h.series < PH_JOURNAL_SERIES:
            raise ValueError(
                f"the journal needs {PH_JOURNAL_COLUMNS} counters and {PH_JOURNAL_SERIES} series"
            )
        if routes.c.columns % PH_ROUTE_COLUMNS:
            raise ValueError(f"a route has {PH_ROUTE_COLUMNS} columns")
        counters._arena.must_write()
        self._regions = (counters, routes, latency, ring)
        memset(&self.j, 0, sizeof(self.j))
        self.j.counters = counters.c
        self.j.routes = routes.c
        self.j.latency = latency.h
        self.j.ring = ring.r
        self.j.slot = slot

    def write(
        self, t0, list marks not None, rid, cost_nano, saved_nano, ttft_us,
        in_tok, out_tok, cache_read_tok, cache_write_tok, bytes_in, bytes_out, key, status,
        tenant, route, model, upstream, alias, cache, flags, attempts, reason, error,
        kept, look, kept_ttl, why, queued, dialed, stalls, /,
    ):
        cdef ph_record e
        cdef uint64_t[PH_JOURNAL_STAGES + 1] ends
        cdef Py_ssize_t n = PyList_GET_SIZE(marks)
        cdef Py_ssize_t i
        cdef uint64_t us, began
        if n > PH_JOURNAL_STAGES + 1:
            raise ValueError(f"{n} marks, at most {PH_JOURNAL_STAGES + 1} are known")
        memset(&e, 0, sizeof(e))
        began = PyLong_AsUnsignedLongLong(t0)
        e.rid = PyLong_AsUnsignedLongLong(rid)
        e.cost_nano = whole(cost_nano)
        e.saved_nano = whole(saved_nano)
        e.ttft_us = u32(ttft_us)
        e.in_tok = u32(in_tok)
        e.out_tok = u32(out_tok)
        e.cache_read_tok = u32(cache_read_tok)
        e.cache_write_tok = u32(cache_write_tok)
        e.bytes_in = u32(bytes_in)
        e.bytes_out = u32(bytes_out)
        e.key = u32(key)
        e.status = u16(status)
        e.tenant = u16(tenant)
        e.route = u16(route)
        e.model = u16(model)
        e.upstream = u16(upstream)
        e.alias = u16(alias)
        e.cache = u8(cache)
        e.flags = u8(flags)
        e.attempts = u8(attempts)
        e.reason = u8(reason)
        e.error = u16(error)
        e.kept = u32(kept)
        e.look = PyLong_AsUnsignedLongLong(look)
        e.kept_ttl = u32(kept_ttl)
        e.why = u8(why)
        e.queued = u8(queued)
        e.dialed = u8(dialed)
        e.stalls = u8(stalls)
        for i in range(n):
            ends[i] = <uint64_t> whole(<object> <PyObject *> PyList_GET_ITEM(marks, i))
        for i in range(1, n):
            us = (ends[i] - ends[i - 1]) // 1000 if ends[i] > ends[i - 1] else 0
            ph_hist_record(&self.j.latency, self.j.slot, PH_SERIES_INSPECT + i - 1, us)
            if i <= KEPT_STAGES:
                e.stage_us[i - 1] = ph_clamp32(us)
        ph_journal_close(&self.j, &e, began)
