# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Heads of HTTP/1.1, strictly: an upstream's answer read, a request written.

Promise   one pass over the bytes. What is refused: include/ph_httphead.h. A head that is
          not whole gives None unless it is bad already; a caller feeds it again, whole.
Layout    (status, reason, version, fields, framing, length, keep-alive, end); framing is
          0 no body, 1 length, 2 chunked, 3 until the connection closes.
Cost      about 0.5 us for an answer of six fields; two strings and a tuple a field, names
          that are common are shared.
Source    RFC 9110 sections 5 and 6, RFC 9112 sections 4 to 6.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeLatin1
from libc.stdint cimport int64_t, uint8_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy


cdef extern from "Python.h":
    # Cython's own declarations hide these two behind slower checks.
    int PyUnicode_READY(object) except -1
    int PyUnicode_KIND(object) noexcept
    void *PyUnicode_DATA(object) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(object) noexcept
    enum:
        PyUnicode_1BYTE_KIND

cdef extern from "ph_httphead.h" nogil:
    ctypedef struct ph_head_status:
        int minor
        int status
        int64_t reason
        int64_t reason_len
    ctypedef struct ph_head_field:
        int64_t name
        int64_t name_len
        int64_t value
        int64_t value_len
    enum:
        PH_HEAD_MORE
        PH_TOKEN
        PH_VALUE
        PH_TARGET
    void ph_head_init() noexcept
    bint ph_head_all(const uint8_t *p, int64_t n, uint8_t kind) noexcept
    uint8_t ph_head_lower(uint8_t c) noexcept
    bint ph_head_is(const uint8_t *p, int64_t n, const char *word, int64_t size) noexcept
    bint ph_head_holds(const uint8_t *p, int64_t n, const char *word, int64_t size) noexcept
    int64_t ph_head_first(
        const uint8_t *p, int64_t at, int64_t n, ph_head_status *out) noexcept
    int64_t ph_head_next(const uint8_t *p, int64_t at, int64_t n, ph_head_field *out) noexcept
    int64_t ph_head_length(const uint8_t *p, int64_t n, int64_t before) noexcept
    bint ph_head_ours(const uint8_t *p, int64_t n) noexcept


cdef enum:
    NONE = 0
    LENGTH = 1
    CHUNKED = 2
    CLOSE = 3
    NAME = 256      # longest name that is sent
    METHOD = 32
    SLOTS = 256     # of the table of common names; 4 kB
    LONGEST = 40    # of a common name

STATUS_LINE = 1
FIELD = 2
CODING = 3
CONTENT_LENGTH = 4
TWO_FRAMINGS = 5

COMMON = (
    "access-control-allow-origin", "access-control-expose-headers", "age", "alt-svc",
    "anthropic-organization-id", "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-remaining", "cache-control", "cf-cache-status", "cf-ray",
    "connection", "content-disposition", "content-encoding", "content-language",
    "content-length", "content-security-policy", "content-type", "date", "etag", "expires",
    "keep-alive", "last-modified", "link", "location", "openai-model",
    "openai-organization", "openai-processing-ms", "openai-version", "pragma",
    "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "referrer-policy",
    "request-id", "retry-after", "server", "set-cookie", "strict-transport-security",
    "transfer-encoding", "vary", "via", "www-authenticate", "x-content-type-options",
    "x-envoy-upstream-service-time", "x-frame-options", "x-powered-by",
    "x-ratelimit-limit-requests", "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens", "x-request-id",
    "x-should-retry", "x-xss-protection",
)  # fmt: skip


cdef inline unsigned int slot_of(const uint8_t *p, int64_t n) noexcept nogil:
    """`p` in any case, n > 0."""
    return (
        <unsigned int> n * 7
        + ph_head_lower(p[0]) * 31
        + ph_head_lower(p[n // 2]) * 17
        + ph_head_lower(p[n - 1])
    ) & (SLOTS - 1)


cdef list known = [None] * SLOTS


cdef void remember() except *:
    """Two common names of one slot: the later one is made anew for each answer."""
    cdef bytes raw
    for name in COMMON:
        raw = name.encode()
        known[slot_of(<const uint8_t *> PyBytes_AS_STRING(raw), len(raw))] = (name, raw)


ph_head_init()
remember()


cdef str name_of(const uint8_t *p, int64_t n):
    """In lower case."""
    cdef uint8_t[NAME] lower
    cdef int64_t i
    cdef object entry
    if n > NAME:
        return PyUnicode_DecodeLatin1(<const char *> p, n, NULL).lower()
    for i in range(n):
        lower[i] = ph_head_lower(p[i])
    entry = known[slot_of(lower, n)]
    if (
        entry is not None
        and PyBytes_GET_SIZE(<bytes> (<tuple> entry)[1]) == n
        and memcmp(PyBytes_AS_STRING(<bytes> (<tuple> entry)[1]), lower, n) == 0
    ):
        return <str> (<tuple> entry)[0]
    return PyUnicode_DecodeLatin1(<const char *> lower, n, NULL)


def parse(bytes data not None, Py_ssize_t start, bint head):
    cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
    cdef int64_t n = PyBytes_GET_SIZE(data)
    cdef int64_t length = -1
    cdef int64_t at
    cdef ph_head_status line
    cdef ph_head_field field
    cdef const uint8_t *value
    cdef bint chunked = False
    cdef bint keep, close = False
    cdef int framing
    if start < 0 or start > n:
        raise ValueError("outside of the data")
    at = ph_head_first(p, start, n, &line)
    if at < 0:
        return None if at == PH_HEAD_MORE else STATUS_LINE
    keep = line.minor == 1
    fields = []
    while True:
        at = ph_head_next(p, at, n, &field)
        if at < 0:
            return None if at == PH_HEAD_MORE else FIELD
        if field.name_len == 0:
            break
        value = p + field.value
        if field.name_len == 14 and ph_head_is(p + field.name, 14, "content-length", 14):
            length = ph_head_length(value, field.value_len, length)
            if length < 0:
                return CONTENT_LENGTH
        elif field.name_len == 10 and ph_head_is(p + field.name, 10, "connection", 10):
            if ph_head_holds(value, field.value_len, "close", 5):
                close = True
            elif ph_head_holds(value, field.value_len, "keep-alive", 10):
                keep = True
        elif field.name_len == 17 and ph_head_is(p + field.name, 17, "transfer-encoding", 17):
            if chunked or not ph_head_is(value, field.value_len, "chunked", 7):
                return CODING
            chunked = True
        fields.append((
            name_of(p + field.name, field.name_len),
            PyUnicode_DecodeLatin1(<const char *> value, field.value_len, NULL),
        ))
    if chunked and (length >= 0 or line.minor == 0):
        return TWO_FRAMINGS
    keep = keep and not close
    if head or line.status < 200 or line.status == 204 or line.status == 304:
        framing = NONE
    elif chunked:
        framing = CHUNKED
    elif length >= 0:
        framing = LENGTH
    else:
        framing = CLOSE
        keep = False
    if line.reason_len == 2 and memcmp(p + line.reason, b"OK", 2) == 0:
        reason = "OK"
    else:
        reason = PyUnicode_DecodeLatin1(<const char *> p + line.reason, line.reason_len, NULL)
    return (
        line.status, reason, "1.1" if line.minor else "1.0", fields, framing, length, keep, at
    )


def damage(bytes data not None, Py_ssize_t start):
    cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
    cdef int64_t n = PyBytes_GET_SIZE(data)
    cdef int64_t at
    cdef ph_head_status line
    cdef ph_head_field field
    if start < 0 or start > n:
        raise ValueError("outside of the data")
    at = ph_head_first(p, start, n, &line)
    if at < 0:
        return 0 if at == PH_HEAD_MORE else STATUS_LINE
    while True:
        at = ph_head_next(p, at, n, &field)
        if at < 0:
            return 0 if at == PH_HEAD_MORE else FIELD
        if field.name_len == 0:
            return 0


def fields_only(bytes data not None):
    cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
    cdef int64_t n = PyBytes_GET_SIZE(data)
    cdef int64_t at = 0
    cdef ph_head_field field
    while at < n:
        at = ph_head_next(p, at, n, &field)
        if at < 0 or field.name_len == 0:
            return False
    return True


cdef const uint8_t *narrow(str text, int64_t *n) except NULL:
    """The characters as Latin-1. Raises ValueError if there are others."""
    PyUnicode_READY(text)
    if PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND:
        raise ValueError("characters outside of Latin-1 cannot be sent")
    n[0] = PyUnicode_GET_LENGTH(text)
    return <const uint8_t *> PyUnicode_DATA(text)


def request(str method not None, str target not None, str host not None, fields,
            Py_ssize_t length, bytes body not None):
    cdef list rows = fields if type(fields) is list else list(fields)
    cdef Py_ssize_t room = 0
    cdef Py_ssize_t size
    cdef int64_t n = 0
    cdef int64_t m = 0
    cdef int64_t i = 0
    cdef const uint8_t *p
    cdef const uint8_t *q
    cdef uint8_t *out
    cdef uint8_t *begin
    cdef str name, value
    cdef bint hosted = False
    for name, value in rows:
        if name is None or value is None:
            raise TypeError("a header's name and value are text")
        p = narrow(name, &n)
        narrow(value, &m)
        room += n + m + 4
        if n == 4 and ph_head_is(p, 4, "host", 4):
            if hosted:
                raise ValueError("a request has one host")
            hosted = True
    p = narrow(method, &n)
    if (
        n == 0 or n > METHOD or not ph_head_all(p, n, PH_TOKEN)
        or (n == 7 and memcmp(p, b"CONNECT", 7) == 0)
    ):
        raise ValueError("not a method that can be sent")
    q = narrow(target, &m)
    if m == 0 or (q[0] != 47 and q[0] != 42) or not ph_head_all(q, m, PH_TARGET):
        raise ValueError("the target holds characters that cannot be sent")
    narrow(host, &i)
    # An upper bound: 80 for the rest of the first line and the line about the body.
    draft = PyBytes_FromStringAndSize(NULL, n + m + i + room + 80)
    begin = out = <uint8_t *> PyBytes_AS_STRING(draft)
    memcpy(out, p, n)
    out += n
    out[0] = 32
    memcpy(out + 1, q, m)
    out += 1 + m
    memcpy(out, b" HTTP/1.1\r\n", 11)
    out += 11
    if not hosted:
        p = narrow(host, &n)
        memcpy(out, p, n)
        out += n
    for name, value in rows:
        p = narrow(name, &n)
        if n == 0 or n > NAME or not ph_head_all(p, n, PH_TOKEN):
            raise ValueError("a header's name holds characters that cannot be sent")
        q = narrow(value, &m)
        if not ph_head_all(q, m, PH_VALUE):
            raise ValueError("a header's value holds characters that cannot be sent")
        for i in range(n):
            out[i] = ph_head_lower(p[i])
        if ph_head_ours(out, n):
            continue
        out += n
        memcpy(out, b": ", 2)
        memcpy(out + 2, q, m)
        out += m + 2
        memcpy(out, b"\r\n", 2)
        out += 2
    if length == -2:
        memcpy(out, b"transfer-encoding: chunked\r\n", 28)
        out += 28
    elif length >= 0:
        out += snprintf(<char *> out, 40, b"content-length: %lld\r\n", <long long> length)
    memcpy(out, b"\r\n", 2)
    size = out + 2 - begin
    made = PyBytes_FromStringAndSize(NULL, size + PyBytes_GET_SIZE(body))
    out = <uint8_t *> PyBytes_AS_STRING(made)
    memcpy(out, begin, size)
    memcpy(out + size, PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
    return made
