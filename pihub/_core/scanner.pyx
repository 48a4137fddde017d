# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""How much of what came from outside looks like an attack.

Promise   every byte is looked at, in time linear in their number; nothing is cut off.
Writers   each call uses the object's scratch: one thread at a time (the GIL is held).
Cost      a value of usual bytes and no keyword: one or two SIMD passes. A header that was clean
          before: one hash. RAM: 280 KiB, and twice the longest unusual value.
Failure   no memory: MemoryError, never "clean".
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItemWithError, PyDict_Next
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport SIZE_MAX, uint8_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memset

from pihub._core.matcher cimport Literals, ph_teddy_free
from pihub._core.wire cimport (
    PH_DIRECT, ph_direct, ph_direct_answer, ph_direct_ask, ph_direct_text, ph_name_is,
)

CLASSES = (
    "sql", "xss", "path", "shell", "template", "xxe", "ldap", "nosql", "header", "nul", "jndi",
    "code", "ssrf",
)  # fmt: skip
PLACES = ("path", "query", "header", "json", "form", "key")

cdef extern from *:
    """
    #define PH_S_LATIN1(s) (PyUnicode_CheckExact(s) && PyUnicode_KIND(s) == PyUnicode_1BYTE_KIND)
    #define PH_S_TEXT(s) ((const uint8_t *)PyUnicode_1BYTE_DATA(s))
    """
    bint PH_S_LATIN1(object s)
    const uint8_t *PH_S_TEXT(object s)
    Py_ssize_t PyUnicode_GET_LENGTH(object s)

cdef dict KINDS = {"json": 106, "form": 102, "text": 116, "multipart": 109, "xml": 120}

# Whose values are secrets, or are judged by others.
cdef frozenset SKIPPED = frozenset((
    "HTTP_AUTHORIZATION", "HTTP_X_API_KEY", "HTTP_HOST", "HTTP_CONTENT_LENGTH", "HTTP_CONNECTION",
    "HTTP_ACCEPT_ENCODING", "HTTP_TRANSFER_ENCODING", "HTTP_PROXY_AUTHORIZATION",
))


cdef bint skipped(ph_direct_text name) noexcept:
    """SKIPPED, of what a direct ask has; and CONTENT_TYPE, which is no HTTP_ key."""
    if name.len == 9:
        return ph_name_is(name, "x-api-key")
    if name.len == 12:
        return ph_name_is(name, "content-type")
    if name.len == 13:
        return ph_name_is(name, "authorization")
    if name.len == 15:
        return ph_name_is(name, "accept-encoding")
    return name.len == 19 and ph_name_is(name, "proxy-authorization")


@cython.final
@cython.no_gc
cdef class Scanner:
    """Scanner(keywords, secret)"""

    def __cinit__(self, Literals keywords not None, bytes secret not None):
        memset(&self.s, 0, sizeof(self.s))
        memset(self.clean, 0, sizeof(self.clean))
        if PyBytes_GET_SIZE(secret) < 8:
            raise ValueError("a secret of 8 bytes or more")
        if not ph_scanner_build(&self.s):
            raise MemoryError
        self.keywords = keywords
        self.s.keys = keywords.t
        self.seed = (<const uint64_t *> PyBytes_AS_STRING(secret))[0]

    def __dealloc__(self):
        ph_teddy_free(&self.s.files)
        ph_teddy_free(&self.s.marks)
        free(self.s.scratch)

    cdef object found(self, ph_worst *w, str place):
        if not w.memory:
            raise MemoryError
        if w.total == 0:
            return None
        field = (<bytes> w.field[:w.field_len]).decode("utf-8", "replace")
        return (
            w.total, CLASSES[w.cls], w.rule.decode("ascii"), place or PLACES[w.where], field, w.at
        )

    def value(self, bytes data not None, str place not None, bint encoded=False):
        cdef ph_worst w
        memset(&w, 0, sizeof(w))
        w.memory = 1
        ph_part(
            &self.s, <const uint8_t *> PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data),
            PLACES.index(place), encoded, <const uint8_t *> b"", 0, 0, &w,
        )
        return self.found(&w, place)

    def body(
        self, bytes data not None, str kind not None, str place not None, size_t text=SIZE_MAX
    ):
        cdef ph_worst w
        memset(&w, 0, sizeof(w))
        w.memory = 1
        w.room = text
        ph_body(
            &self.s, <const uint8_t *> PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data),
            KINDS[kind], PLACES.index(place), &w,
        )
        if w.over:
            raise OverflowError("the form's text is too long to be judged")
        return self.found(&w, ""), w.deepest, w.values

    cdef void part(
        self, const uint8_t *p, size_t n, const uint8_t *name, size_t name_len, ph_worst *w
    ) noexcept:
        """A header's value. One that was clean before is not judged again: even of sixteen
        bytes (application/json) a judgement may cost a microsecond, and a hash 5 ns."""
        cdef uint64_t mark = PH_S_HASH(p, n, self.seed) | 1
        cdef unsigned before = w.total
        if self.clean[mark >> 55] == mark:
            return
        ph_part(&self.s, p, n, 2, 0, name, name_len, 0, w)
        if before == 0 and w.total == 0 and w.memory:
            self.clean[mark >> 55] = mark

    cdef bint clean_ask(self, const ph_direct_ask *ask) noexcept:
        """Whether nothing at all is found in the path and the headers of a direct ask."""
        cdef ph_worst w
        cdef size_t i
        cdef const uint8_t *path = <const uint8_t *> ask.path.at
        cdef uint64_t mark = PH_S_HASH(path, ask.path.len, ~self.seed) | 1
        memset(&w, 0, sizeof(w))
        w.memory = 1
        if self.clean[mark >> 55] != mark:
            ph_judge(&self.s, path, ask.path.len, 0, 0, <const uint8_t *> b"", 0, &w)
            if w.total == 0 and w.memory:
                self.clean[mark >> 55] = mark
        for i in range(ask.n_fields):
            if not skipped(ask.field[i].name):
                self.part(
                    <const uint8_t *> ask.field[i].value.at, ask.field[i].value.len,
                    <const uint8_t *> ask.field[i].name.at, ask.field[i].name.len, &w,
                )
        return w.total == 0 and w.memory

    def request(self, dict environ not None):
        cdef ph_worst w
        cdef PyObject *key
        cdef PyObject *value
        cdef Py_ssize_t at = 0
        memset(&w, 0, sizeof(w))
        w.memory = 1
        value = PyDict_GetItemWithError(environ, "PATH_INFO")
        if value is not NULL and PH_S_LATIN1(<object> value):
            ph_judge(
                &self.s, PH_S_TEXT(<object> value), PyUnicode_GET_LENGTH(<object> value), 0, 0,
                <const uint8_t *> b"", 0, &w,
            )
        value = PyDict_GetItemWithError(environ, "QUERY_STRING")
        if value is not NULL and PH_S_LATIN1(<object> value):
            ph_pairs(
                &self.s, PH_S_TEXT(<object> value), PyUnicode_GET_LENGTH(<object> value), 1, 0, &w
            )
        while PyDict_Next(environ, &at, &key, &value):
            if not (PH_S_LATIN1(<object> key) and PH_S_LATIN1(<object> value)):
                continue
            if PyUnicode_GET_LENGTH(<object> key) < 6:
                continue
            if memcmp(PH_S_TEXT(<object> key), <const char *> b"HTTP_", 5) != 0:
                continue
            if <object> key in SKIPPED:
                continue
            self.part(
                PH_S_TEXT(<object> value), PyUnicode_GET_LENGTH(<object> value),
                PH_S_TEXT(<object> key) + 5, PyUnicode_GET_LENGTH(<object> key) - 5, &w,
            )
        return self.found(&w, "")


cdef int answer(void *gate, const ph_direct_ask *ask, ph_direct_answer *out) noexcept:
    cdef Gate self = <Gate> gate
    return self.scanner.clean_ask(ask) and self.inner.answer(self.inner.self, ask, out)


@cython.final
cdef class Gate:
    """Gate(app, scanner, judge): a WSGI callable in front of `app`."""

    def __cinit__(self, app, Scanner scanner not None, judge):
        self.app = app
        self.scanner = scanner
        self.judge = judge

    @property
    def direct(self):
        self.capsule = self.app.direct
        self.inner = <const ph_direct *> PyCapsule_GetPointer(self.capsule, PH_DIRECT)
        self.face.self = <void *> self
        self.face.answer = answer
        return PyCapsule_New(&self.face, PH_DIRECT, NULL)

    def __call__(self, dict environ not None, start_response):
        found = self.scanner.request(environ)
        if found is not None:
            answer = self.judge(found, environ, start_response)
            if answer is not None:
                return answer
        return self.app(environ, start_response)
