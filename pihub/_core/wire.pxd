"""A rendered answer in the cache: the C face, for the edge."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from pihub._core.cache cimport ph_cache, ph_cache_hit

cdef extern from "ph_direct.h" nogil:
    const char *PH_DIRECT

    ctypedef struct ph_direct_text:
        const char *at
        size_t len

    ctypedef struct ph_direct_field:
        ph_direct_text name
        ph_direct_text value

    ctypedef struct ph_direct_ask:
        ph_direct_text path
        ph_direct_text body
        size_t n_fields
        ph_direct_field *field

    ctypedef struct ph_direct_answer:
        ph_direct_text line
        ph_direct_text rest

    ctypedef struct ph_direct:
        void *self
        int (*answer)(void *, const ph_direct_ask *, ph_direct_answer *) noexcept

cdef extern from "ph_wire.h" nogil:
    enum:
        PH_WIRE_BLOCK
        PH_WIRE_STREAM
        PH_WIRE_SIMULATED
    uint32_t PH_WIRE_MAGIC

    uint32_t PH_ALIAS_MAGIC

    ctypedef struct ph_alias:
        uint32_t magic
        uint64_t h1
        uint64_t h2

    ctypedef struct ph_wire:
        uint32_t magic
        uint16_t status
        uint8_t n_headers
        uint8_t flags
        uint16_t model
        uint16_t upstream
        uint16_t alias
        uint16_t ctype_len
        int64_t saved_nano
        uint32_t in_tok
        uint32_t out_tok
        uint32_t block_len
        uint32_t body_len
        uint64_t look

    int ph_wire_find(
        const ph_cache *c, uint64_t h1, uint64_t h2, uint32_t tenant, uint32_t now,
        ph_cache_hit *hit, ph_wire *w, uint8_t *block)
    const uint8_t *ph_wire_body(const ph_cache_hit *hit, const ph_wire *w)
    int ph_name_is(ph_direct_text name, const char *wanted)
    size_t ph_direct_token(const ph_direct_ask *ask, const uint8_t **token)
    int ph_wire_ok(const ph_wire *w, const uint8_t *block, uint64_t len)
    uint64_t ph_wire_seed(const uint8_t *secret, uint64_t epoch, uint64_t route)
    void ph_wire_hash(
        uint64_t seed, const uint8_t *body, size_t len, uint64_t *h1, uint64_t *h2)
    uint64_t ph_wire_memo(const uint8_t *block, size_t len, uint64_t seed)
    uint64_t ph_request_id(uint64_t secret, uint64_t count, unsigned slot)
    void ph_hex16(uint64_t x, char *out)
    int ph_path_ok(const uint8_t *p, size_t n)
    size_t ph_bearer(const uint8_t **p, size_t n)
    int64_t ph_length(const uint8_t *p, size_t n)


cdef extern from "ph_minify.h" nogil:
    size_t ph_minify(const uint8_t *p, size_t n, uint8_t *out)


cdef extern from "ph_sorted.h" nogil:
    size_t ph_sorted(
        const uint8_t *p, size_t n, uint8_t *out, int64_t *model, int64_t *model_len)

cdef bytes alias_of(uint64_t h1, uint64_t h2)


cdef class Heads:
    cdef list rows

    # [key, status line, headers, (status line, header lines) in bytes or None] of an entry;
    # None if it is malformed.
    cdef list of(self, const ph_wire *w, const uint8_t *block)


cdef class Refusal:
    # What of a refusal does not depend on the request.
    cdef str line
    cdef int status
    cdef list headers
    cdef tuple ids              # names of the headers that carry the request id
    cdef bytes prefix
    cdef bytes suffix           # None: the body has no place for the id
