# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Where the top-level members of a JSON object stand, without parsing their values.

Promise   one pass over the bytes, nothing of a value is decoded or copied; what is not
          an object, or ends inside a value, gives None. Values are not validated: the
          caller has decoded the body, or leaves that to its reader.
Layout    returns [(key, start of value, end of value), ...] in order, half-open.
Cost      about 1 ns a byte; one tuple a member.
Source    RFC 8259 for the grammar of strings, numbers and white space.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcmp, memcpy


cdef inline bint space(uint8_t c) noexcept nogil:
    return c == 32 or c == 10 or c == 13 or c == 9


cdef Py_ssize_t skip_space(const uint8_t *p, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    while i < n and space(p[i]):
        i += 1
    return i


cdef Py_ssize_t skip_string(const uint8_t *p, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """`i` stands on the opening quote; returns the index after the closing one, or -1."""
    cdef const uint8_t *at
    cdef Py_ssize_t back
    i += 1
    while i < n:
        at = <const uint8_t *> memchr(p + i, 34, n - i)
        if at == NULL:
            return -1
        back = at - p
        while back > i and p[back - 1] == 92:
            back -= 1
        i = at - p + 1
        if (at - p - back) % 2 == 0:  # an odd run of backslashes escapes the quote
            return i
    return -1


cdef Py_ssize_t skip_value(const uint8_t *p, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """The index after the value that starts at `i`, or -1."""
    cdef Py_ssize_t depth = 0
    cdef Py_ssize_t start = i
    cdef uint8_t c
    if i >= n:
        return -1
    if p[i] == 34:
        return skip_string(p, i, n)
    if p[i] != 123 and p[i] != 91:
        while i < n and p[i] != 44 and p[i] != 125 and p[i] != 93 and not space(p[i]):
            i += 1
        return i if i > start else -1
    while i < n:
        c = p[i]
        if c == 34:
            i = skip_string(p, i, n)
            if i < 0:
                return -1
            continue
        if c == 123 or c == 91:
            depth += 1
        elif c == 125 or c == 93:
            depth -= 1
            if depth == 0:
                return i + 1
        i += 1
    return -1


def members(bytes data not None):
    cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
    cdef Py_ssize_t n = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t i, key, key_end, start
    found = []
    i = skip_space(p, 0, n)
    if i >= n or p[i] != 123:
        return None
    i = skip_space(p, i + 1, n)
    if i < n and p[i] == 125:
        return found if skip_space(p, i + 1, n) == n else None
    while True:
        if i >= n or p[i] != 34:
            return None
        key = i + 1
        i = skip_string(p, i, n)
        if i < 0:
            return None
        key_end = i - 1
        i = skip_space(p, i, n)
        if i >= n or p[i] != 58:
            return None
        start = skip_space(p, i + 1, n)
        i = skip_value(p, start, n)
        if i < 0:
            return None
        found.append((
            PyUnicode_DecodeUTF8(<char *> p + key, key_end - key, "replace"), start, i
        ))
        i = skip_space(p, i, n)
        if i < n and p[i] == 44:
            i = skip_space(p, i + 1, n)
            continue
        if i < n and p[i] == 125 and skip_space(p, i + 1, n) == n:
            return found
        return None


def measure(bytes data not None, Py_ssize_t deepest, Py_ssize_t most):
    """Commas and openings bound the values from above, so one pass without a stack is enough."""
    cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
    cdef Py_ssize_t n = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t i = 0, depth = 0, values = 1
    cdef uint8_t c
    while i < n:
        c = p[i]
        if c == 34:
            i = skip_string(p, i, n)
            if i < 0:
                return 0    # cut off inside a string: the decoder says so
            continue
        if c == 123 or c == 91:
            depth += 1
            values += 1
            if depth > deepest:
                return 1
        elif c == 125 or c == 93:
            depth -= 1
        elif c == 44:
            values += 1
        if values > most:
            return 2
        i += 1
    return 0


cdef enum:
    KEYS = 32   # more keys than a chat request has; 512 B of stack


cdef inline uint8_t fold(uint8_t c) noexcept nogil:
    return c + 32 if 65 <= c <= 90 else c


cdef bint alike(const uint8_t *a, const uint8_t *b, Py_ssize_t n) noexcept nogil:
    """Equal but for the case of ASCII letters."""
    cdef Py_ssize_t i
    for i in range(n):
        if fold(a[i]) != fold(b[i]):
            return False
    return True


cdef bint spans(const uint8_t *p, Py_ssize_t n, const uint8_t *key, Py_ssize_t key_len,
                tuple absent, Py_ssize_t *start, Py_ssize_t *end) noexcept:
    """The value's span, if the body is as plain as `replace` wants it."""
    cdef Py_ssize_t[KEYS] seen   # offsets
    cdef Py_ssize_t[KEYS] lengths
    cdef Py_ssize_t count = 0
    cdef Py_ssize_t i, j, at, length, first
    start[0] = -1
    i = skip_space(p, 0, n)
    if i >= n or p[i] != 123:
        return False
    i = skip_space(p, i + 1, n)
    while i < n and p[i] == 34 and count < KEYS:
        at = i + 1
        i = skip_string(p, i, n)
        if i < 0:
            return False
        length = i - 1 - at
        if memchr(p + at, 92, length) != NULL:
            return False
        for j in range(count):
            if lengths[j] == length and alike(p + seen[j], p + at, length):
                return False
        seen[count] = at
        lengths[count] = length
        count += 1
        for word in absent:
            if (PyBytes_GET_SIZE(word) == length
                    and alike(<const uint8_t *> PyBytes_AS_STRING(word), p + at, length)):
                return False
        i = skip_space(p, i, n)
        if i >= n or p[i] != 58:
            return False
        first = skip_space(p, i + 1, n)
        i = skip_value(p, first, n)
        if i < 0:
            return False
        if length == key_len and alike(key, p + at, length):
            if memcmp(key, p + at, length) != 0:
                return False
            start[0] = first
            end[0] = i
        i = skip_space(p, i, n)
        if i < n and p[i] == 44:
            i = skip_space(p, i + 1, n)
            continue
        return i < n and p[i] == 125 and skip_space(p, i + 1, n) == n and start[0] >= 0
    return False


def replace(bytes data not None, bytes key not None, bytes value not None, tuple absent not None):
    cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
    cdef Py_ssize_t n = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t start, end, size
    cdef char *out
    if not spans(p, n, <const uint8_t *> PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key),
                 absent, &start, &end):
        return None
    size = PyBytes_GET_SIZE(value)
    made = PyBytes_FromStringAndSize(NULL, n - (end - start) + size)
    out = PyBytes_AS_STRING(made)
    memcpy(out, p, start)
    memcpy(out + start, PyBytes_AS_STRING(value), size)
    memcpy(out + start + size, p + end, n - end)
    return made
