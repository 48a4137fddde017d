# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Histograms of durations, per worker, merged on read.

Promise   a record never blocks or fails; merging adds arrays, so it is exact.
Layout    | ph_head | row: series x (sum u64, pad to 128, bucket[1920] u64) | row | ... |
Writers   one process a row (its slot); values survive it.
Readers   anyone; relaxed loads. Count is the sum of the buckets, so they never disagree;
          `sum` may be one value ahead or behind.
Cost      two loads, two stores (2 ns in C); a read adds up rows x 1920 words (1 us a row).
Failure   a writer killed between its two stores leaves `sum` one value short.
"""
cimport cython
from libc.math cimport ceil
from libc.stdint cimport uint32_t, uint64_t

from pihub._core.arena cimport PH_KIND_HISTOGRAM, PH_LINE, Arena
from pihub._core.atomics cimport ph_load_rlx


@cython.final
cdef class Histogram:
    """Histogram(arena, region, rows, series); RAM: 15,488 bytes a row and series."""

    def __cinit__(self, Arena arena not None, str region not None, uint32_t rows, uint32_t series):
        if rows < 1 or series < 1:
            raise ValueError("at least one row and one series")
        need = Histogram.size_for(rows, series)
        self.h.base = <ph_hist *> arena.open(region, PH_KIND_HISTOGRAM, need, rows, series, 0, 0)
        self.h.rows = rows
        self.h.series = series
        self._arena = arena

    @staticmethod
    def size_for(uint32_t rows, uint32_t series):
        """Bytes of a region for so many rows and series."""
        return PH_LINE + sizeof(ph_hist) * rows * series

    def record(self, uint32_t row, uint32_t series, uint64_t value):
        """Count `value` (microseconds). Only the row's owner writes."""
        if row >= self.h.rows or series >= self.h.series:
            raise IndexError(f"histogram [{row}, {series}] of [{self.h.rows}, {self.h.series}]")
        self._arena.must_write()
        ph_hist_record(&self.h, row, series, value)

    cdef uint64_t merge(self, uint32_t series, uint64_t *out) except? 0xFFFFFFFFFFFFFFFF:
        if series >= self.h.series:
            raise IndexError(f"series {series} of {self.h.series}")
        return ph_hist_merge(&self.h, series, out)

    def count(self, uint32_t series):
        """How many values, all rows."""
        cdef uint64_t[PH_HIST_BUCKETS] merged
        return self.merge(series, merged)

    def sum(self, uint32_t series):
        """The exact sum of the values, all rows (modulo 2**64)."""
        cdef uint64_t total = 0
        cdef uint32_t row
        if series >= self.h.series:
            raise IndexError(f"series {series} of {self.h.series}")
        for row in range(self.h.rows):
            total += ph_load_rlx(&ph_hist_at(&self.h, row, series).sum)
        return total

    def quantiles(self, uint32_t series, tuple qs not None):
        """The middle of the bucket of each quantile (0..1); 0.0 if there are no values."""
        cdef uint64_t[PH_HIST_BUCKETS] merged
        cdef uint64_t total = self.merge(series, merged)
        cdef uint64_t rank, seen
        cdef uint32_t b
        cdef double q
        out = []
        for value in qs:
            q = value
            if not 0.0 <= q <= 1.0:
                raise ValueError(f"a quantile is 0..1, not {q}")
            if total == 0:
                out.append(0.0)
                continue
            rank = <uint64_t> ceil(q * <double> total)
            rank = min(max(rank, <uint64_t> 1), total)
            seen = 0
            for b in range(<uint32_t> PH_HIST_BUCKETS):
                seen += merged[b]
                if seen >= rank:
                    break
            out.append((<double> ph_hist_lowest(b) + <double> ph_hist_highest(b)) / 2)
        return tuple(out)

    def cumulative(self, uint32_t series, tuple bounds not None):
        """Counts of values <= each bound, for Prometheus buckets.

        A bucket counts once all of it is within the bound, so values up to 3.1 % below the
        bound may be missing, none above it is counted.
        """
        cdef uint64_t[PH_HIST_BUCKETS] merged
        cdef uint64_t seen, bound
        cdef uint32_t b
        self.merge(series, merged)
        out = []
        for value in bounds:
            bound = value
            seen = 0
            for b in range(<uint32_t> PH_HIST_BUCKETS):
                if ph_hist_highest(b) > bound:
                    break
                seen += merged[b]
            out.append(seen)
        return tuple(out)

    def buckets(self, uint32_t series):
        """(lowest value, highest value, count) of the non-empty ones."""
        cdef uint64_t[PH_HIST_BUCKETS] merged
        cdef uint32_t b
        self.merge(series, merged)
        return [
            (ph_hist_lowest(b), ph_hist_highest(b), merged[b])
            for b in range(<uint32_t> PH_HIST_BUCKETS) if merged[b]
        ]
