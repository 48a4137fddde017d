"""What the edge reads of a WSGI environ: values, and the request's body."""
from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t

cdef extern from *:
    """
    #define PH_LATIN1(s) (PyUnicode_CheckExact(s) && PyUnicode_KIND(s) == PyUnicode_1BYTE_KIND)
    #define PH_TEXT(s) ((const uint8_t *)PyUnicode_1BYTE_DATA(s))
    #define PH_IS(s, literal) (PH_LATIN1(s) && PyUnicode_GET_LENGTH(s) == sizeof(literal) - 1 \
        && memcmp(PH_TEXT(s), literal, sizeof(literal) - 1) == 0)
    """
    bint PH_IS(object s, const char *literal)
    bint PH_LATIN1(object s)
    const uint8_t *PH_TEXT(object s)
    Py_ssize_t PyUnicode_GET_LENGTH(object s)


cdef inline object get(dict environ, str key):
    # The value, None if there is none; an unhashable key cannot happen.
    cdef PyObject *value = PyDict_GetItemWithError(environ, key)
    return None if value is NULL else <object> value


cdef object body_of(dict environ, int64_t max_body)
cdef void discard(dict environ)
