"""Features of a prompt: the C face, for the fit."""
from libc.stdint cimport int8_t, uint8_t, uint16_t, uint32_t

cdef extern from "ph_difficulty.h" nogil:
    enum:
        PH_DF_BUCKETS
        PH_DF_CUES
        PH_DF_COUNTS
        PH_DF_ROWS
        PH_DF_TEXT
        PH_DF_WORDS
        PH_DF_MOST

    ctypedef struct ph_df_feature:
        uint32_t row
        float value

    ctypedef struct ph_df_word:
        uint32_t hash
        uint16_t start
        uint16_t end

    const char **ph_df_cues
    int ph_df_words(const uint8_t *p, int n, ph_df_word *out)
    int ph_df_features(const uint8_t *p, int n, ph_df_word *words, ph_df_feature *out)
    uint32_t ph_df_pair(uint32_t a, uint32_t b)
    uint32_t ph_df_bucket(uint32_t h)


cdef class Experts:
    cdef bytes _weights
    cdef const int8_t *_rows       # PH_DF_ROWS x (gates, heads), inside _weights
    cdef readonly int n
    cdef float _scale[64]
    cdef float _base[64]
    cdef float _sharp

    cdef float mix(self, const ph_df_feature *f, int count, float *gate) noexcept nogil
