# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""The request's body, taken in whole before anything is decided by it.

Promise   as many bytes as were announced, at most `max_body`, or the code of a refusal.
Cost      one read, where the server has the body already (meinheld has).
Failure   whatever the server raises means that the client left or broke its framing.
"""
from cpython.bytes cimport PyBytes_GET_SIZE
from libc.stdint cimport int64_t

from pihub._core.wire cimport ph_length

cdef enum:
    DISCARD = 64 << 20   # bytes of an unwanted body that are read before the refusal


cdef object body_of(dict environ, int64_t max_body):
    """The body, or the code of the refusal."""
    cdef object text = get(environ, "CONTENT_LENGTH")
    cdef object source = get(environ, "wsgi.input")
    cdef int64_t length, have = 0
    cdef list parts
    if text is None or PH_IS(text, ""):
        if source is None or get(environ, "HTTP_TRANSFER_ENCODING") is None:
            return b""
        if not get(environ, "wsgi.input_terminated"):
            return "bad_request"
        length = max_body + 1
    else:
        if not PH_LATIN1(text):
            return "bad_request"
        length = ph_length(PH_TEXT(text), PyUnicode_GET_LENGTH(text))
        if length < 0 or source is None:
            return "bad_request"
        if length > max_body:
            return "request_too_large"
        if length == 0:
            return b""
    try:
        data = source.read(length)
        if type(data) is bytes and PyBytes_GET_SIZE(data) == length <= max_body:
            return data
        have = len(data)
        parts = [data]
        while have < length and data:
            data = source.read(length - have)
            have += len(data)
            parts.append(data)
    except Exception:   # the server's own: the client left, or broke its framing
        return "bad_request"
    if have > max_body:
        return "request_too_large"
    if length <= max_body and have != length:
        return "bad_request"
    return b"".join(parts)


cdef void discard(dict environ):
    """Take in a body that nobody wants, where the server has not: closed upon, the client
    would see a broken pipe instead of the answer (RFC 9112 section 9.6)."""
    cdef object text = get(environ, "CONTENT_LENGTH")
    cdef object source = get(environ, "wsgi.input")
    cdef int64_t left
    if source is None or text is None or not PH_LATIN1(text):
        return
    left = min(DISCARD, ph_length(PH_TEXT(text), PyUnicode_GET_LENGTH(text)))
    try:
        while left > 0:
            data = source.read(min(left, 65536))
            left = left - len(data) if data else 0
    except Exception:   # the server's own: the client left
        pass
