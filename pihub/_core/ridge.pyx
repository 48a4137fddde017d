# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Ridge regression on sparse features, by conjugate gradients on the normal equations.

Promise   the same weights for the same texts, in the same order, on every machine with
          IEEE arithmetic.
Layout    compressed rows in private memory; no arena.
Cost      about 1 ns a feature and round; 8 bytes a feature.
Failure   MemoryError when the features do not fit.
Source    Hestenes, Stiefel, Methods of Conjugate Gradients (1952); centring keeps the
          intercept free of the penalty.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free, realloc

from pihub._core.difficulty cimport (
    PH_DF_MOST, PH_DF_ROWS, PH_DF_TEXT, PH_DF_WORDS, ph_df_feature, ph_df_features, ph_df_word,
)


@cython.final
cdef class Ridge:
    """Ridge()"""

    cdef ph_df_feature *_data
    cdef Py_ssize_t *_starts
    cdef Py_ssize_t _n
    cdef Py_ssize_t _used
    cdef Py_ssize_t _room
    cdef Py_ssize_t _texts

    def __dealloc__(self):
        free(self._data)
        free(self._starts)

    def __len__(self):
        return self._n

    cdef int grow(self) except -1:
        cdef void *more
        if self._used + PH_DF_MOST > self._room:
            self._room = 2 * self._room + PH_DF_MOST
            more = realloc(self._data, self._room * sizeof(ph_df_feature))
            if more == NULL:
                raise MemoryError
            self._data = <ph_df_feature *> more
        if self._n + 2 > self._texts:
            self._texts = 2 * self._texts + 64
            more = realloc(self._starts, self._texts * sizeof(Py_ssize_t))
            if more == NULL:
                raise MemoryError
            self._starts = <Py_ssize_t *> more
        return 0

    def add(self, bytes text not None):
        cdef ph_df_word[PH_DF_WORDS] words
        cdef Py_ssize_t n = min(PyBytes_GET_SIZE(text), <Py_ssize_t> PH_DF_TEXT)
        self.grow()
        if self._n == 0:
            self._starts[0] = 0
        self._used += ph_df_features(
            <const uint8_t *> PyBytes_AS_STRING(text), <int> n, words, self._data + self._used)
        self._n += 1
        self._starts[self._n] = self._used
        return self._n - 1

    cdef double dot(self, Py_ssize_t row, const double *w) noexcept nogil:
        cdef Py_ssize_t i
        cdef double sum = 0
        for i in range(self._starts[row], self._starts[row + 1]):
            sum += self._data[i].value * w[self._data[i].row]
        return sum

    cdef void spread(self, Py_ssize_t row, double by, double *w) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(self._starts[row], self._starts[row + 1]):
            w[self._data[i].row] += by * self._data[i].value

    # out = (Xc'Xc + alpha I) v, with Xc the rows less their mean
    cdef void apply(
        self, const Py_ssize_t *rows, Py_ssize_t n, const double *mean, double alpha,
        const double *v, double *out,
    ) noexcept nogil:
        cdef Py_ssize_t i, c
        cdef double middle = 0, sum = 0, value
        for c in range(PH_DF_ROWS):
            middle += mean[c] * v[c]
            out[c] = alpha * v[c]
        for i in range(n):
            value = self.dot(rows[i], v) - middle
            sum += value
            self.spread(rows[i], value, out)
        for c in range(PH_DF_ROWS):
            out[c] -= sum * mean[c]

    def fit(self, list rows not None, list targets not None, double alpha, int rounds=60):
        cdef Py_ssize_t n = len(rows), i, c
        cdef Py_ssize_t d = PH_DF_ROWS
        cdef double middle = 0, rr = 0, next_rr, step, pap, first
        cdef double *w
        cdef double *mean
        cdef double *r
        cdef double *p
        cdef double *ap
        cdef Py_ssize_t *at
        if n == 0 or n != <Py_ssize_t> len(targets):
            raise ValueError("as many targets as rows, and at least one")
        for row in rows:
            if not 0 <= row < self._n:
                raise IndexError(f"row {row} of {self._n}")
        w = <double *> calloc(5 * d, sizeof(double))
        at = <Py_ssize_t *> calloc(n, sizeof(Py_ssize_t))
        if w == NULL or at == NULL:
            free(w)
            free(at)
            raise MemoryError
        mean, r, p, ap = w + d, w + 2 * d, w + 3 * d, w + 4 * d
        try:
            for i in range(n):
                at[i] = rows[i]
                middle += <double> targets[i]
                self.spread(at[i], 1.0 / n, mean)
            middle /= n
            for i in range(n):
                self.spread(at[i], <double> targets[i] - middle, r)
            for c in range(d):
                p[c] = r[c]
                rr += r[c] * r[c]
            first = rr
            with nogil:
                while rounds > 0 and rr > 1e-10 * first:
                    rounds -= 1
                    self.apply(at, n, mean, alpha, p, ap)
                    pap = 0
                    for c in range(d):
                        pap += p[c] * ap[c]
                    step = rr / pap
                    next_rr = 0
                    for c in range(d):
                        w[c] += step * p[c]
                        r[c] -= step * ap[c]
                        next_rr += r[c] * r[c]
                    for c in range(d):
                        p[c] = r[c] + next_rr / rr * p[c]
                    rr = next_rr
            for c in range(d):
                middle -= mean[c] * w[c]
            return [w[c] for c in range(d)], middle
        finally:
            free(w)
            free(at)

    def predict(self, Py_ssize_t row, list weights not None, double intercept):
        cdef Py_ssize_t i
        cdef double sum = intercept
        if not 0 <= row < self._n:
            raise IndexError(f"row {row} of {self._n}")
        if len(weights) != PH_DF_ROWS:
            raise ValueError(f"{PH_DF_ROWS} weights")
        for i in range(self._starts[row], self._starts[row + 1]):
            sum += self._data[i].value * <double> weights[self._data[i].row]
        return sum
