# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""How much a strong model would gain over a weak one on a prompt, in microseconds.

Promise   a pure function of the text's first 4,000 bytes and the weights.
Layout    weights: float32 sharpness; float32 scale and float32 base of each column;
          int8 rows, each with a gate and then a head for every expert.
Cost      one pass over the text and 2 x experts multiplications a feature.
Failure   weights of another size are a ValueError; no text is refused.
Source    include/ph_difficulty.h for the features. Experts weighted by a gate: Jacobs
          et al., Adaptive Mixtures of Local Experts (1991); here gate and heads are linear.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.math cimport expf
from libc.stdint cimport int8_t, uint8_t
from libc.string cimport memcpy

BUCKETS = PH_DF_BUCKETS
ROWS = PH_DF_ROWS
TEXT = PH_DF_TEXT
COUNTS = (
    "length", "words", "digits", "numbers", "lines", "capitals", "question marks",
    "mathematical signs", "brackets", "fenced code", "other scripts", "word length",
    "choices", "blanks and quotes",
)
CUES = tuple([(<bytes> ph_df_cues[i]).decode() for i in range(PH_DF_CUES)])
EXPERTS = 32


cdef int extract(bytes text, ph_df_word *words, ph_df_feature *out) noexcept:
    cdef Py_ssize_t n = min(PyBytes_GET_SIZE(text), <Py_ssize_t> PH_DF_TEXT)
    return ph_df_features(<const uint8_t *> PyBytes_AS_STRING(text), <int> n, words, out)


def features(bytes text not None):
    """[(row, value), ...] of the text, each row once."""
    cdef ph_df_word[PH_DF_WORDS] words
    cdef ph_df_feature[PH_DF_MOST] out
    cdef int n = extract(text, words, out)
    return [(out[i].row, out[i].value) for i in range(n)]


def terms(bytes text not None):
    """[(row, start, end), ...] of its words and pairs, in bytes."""
    cdef ph_df_word[PH_DF_WORDS] words
    cdef Py_ssize_t n = min(PyBytes_GET_SIZE(text), <Py_ssize_t> PH_DF_TEXT)
    cdef int count = ph_df_words(<const uint8_t *> PyBytes_AS_STRING(text), <int> n, words)
    cdef int i
    found = []
    for i in range(count):
        found.append((ph_df_bucket(words[i].hash), words[i].start, words[i].end))
        if i:
            row = ph_df_bucket(ph_df_pair(words[i - 1].hash, words[i].hash))
            found.append((row, words[i - 1].start, words[i].end))
    return found


@cython.final
cdef class Experts:
    """Experts(weights, n): see size_for. RAM: the weights, which are not copied."""

    def __cinit__(self, bytes weights not None, int n):
        cdef const char *at
        if not 1 <= n <= EXPERTS:
            raise ValueError(f"1 to {EXPERTS} experts, not {n}")
        if PyBytes_GET_SIZE(weights) != Experts.size_for(n):
            raise ValueError(f"{n} experts have {Experts.size_for(n)} bytes of weights")
        self._weights = weights
        self.n = n
        at = PyBytes_AS_STRING(weights)
        memcpy(&self._sharp, at, 4)
        memcpy(self._scale, at + 4, 8 * n)
        memcpy(self._base, at + 4 + 8 * n, 8 * n)
        self._rows = <const int8_t *> at + 4 + 16 * n

    @staticmethod
    def size_for(int n):
        return 4 + 16 * n + <Py_ssize_t> PH_DF_ROWS * 2 * n

    cdef float mix(self, const ph_df_feature *f, int count, float *gate) noexcept nogil:
        cdef float[64] sums
        cdef const int8_t *row
        cdef int i, c
        cdef int columns = 2 * self.n
        cdef float value, top, total, out
        for c in range(columns):
            sums[c] = 0
        for i in range(count):
            row = self._rows + <Py_ssize_t> f[i].row * columns
            value = f[i].value
            for c in range(columns):
                sums[c] += value * row[c]
        for c in range(columns):
            sums[c] = sums[c] * self._scale[c] + self._base[c]
        top = sums[0]
        for c in range(1, self.n):
            if sums[c] > top:
                top = sums[c]
        total = out = 0
        for c in range(self.n):
            gate[c] = expf(self._sharp * (sums[c] - top))
            total += gate[c]
            out += gate[c] * sums[self.n + c]
        for c in range(self.n):
            gate[c] /= total
        return out / total

    def score(self, bytes text not None):
        """The expected gain in quality, mostly -1 to 1."""
        cdef ph_df_word[PH_DF_WORDS] words
        cdef ph_df_feature[PH_DF_MOST] out
        cdef float[64] gate
        return self.mix(out, extract(text, words, out), gate)

    def explain(self, bytes text not None):
        """(score, each expert's share, [(row, value, what it adds to the score), ...])"""
        cdef ph_df_word[PH_DF_WORDS] words
        cdef ph_df_feature[PH_DF_MOST] out
        cdef float[64] gate
        cdef int n = extract(text, words, out)
        cdef int i, c
        cdef float score = self.mix(out, n, gate)
        cdef float adds
        cdef const int8_t *row
        parts = []
        for i in range(n):
            row = self._rows + <Py_ssize_t> out[i].row * 2 * self.n + self.n
            adds = 0
            for c in range(self.n):
                adds += gate[c] * row[c] * self._scale[self.n + c]
            parts.append((out[i].row, out[i].value, adds * out[i].value))
        return score, [gate[c] for c in range(self.n)], parts
