# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""The WSGI callable in front of the framework: hits and refusals end here.

Promise   a request is refused or answered from the exact cache without a Python frame;
          every other one reaches `app` with what was learnt of it in `pihub.*` keys, which
          no client can set (its headers arrive as HTTP_*).
Writers   one worker, through its journal.
Cost      a hit: two clock reads, one SipHash, one XXH3, one copy, about ten objects.
Failure   whatever is wrong with a cached entry is a miss.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy, memset

from pihub._core.atomics cimport ph_load_acq, ph_mono_ns
from pihub._core.cache cimport ph_cache_hit, ph_cache_still, ph_cache_ticks
from pihub._core.intake cimport (
    PH_IS, PH_LATIN1, PH_TEXT, PyUnicode_GET_LENGTH, body_of, discard, get,
)
from pihub._core.journal cimport PH_FLAG_ERROR, PH_REASON_REFUSED, ph_clamp32, ph_record
from pihub._core.keytable cimport PH_KEY_RESTRICTED
from pihub._core.wire cimport (
    PH_WIRE_BLOCK, Refusal, alias_of, ph_bearer, ph_hex16, ph_minify, ph_path_ok, ph_request_id,
    ph_sorted, ph_wire, ph_wire_body, ph_wire_find, ph_wire_hash,
)

from pihub._core.wire import pack_wire, wire_key  # no-cython-lint

cdef extern from *:
    object PyUnicode_New(Py_ssize_t size, uint32_t maxchar)


cdef enum:
    RESPELL = 256 * 1024        # bytes of the largest body that is looked for without whitespace

cdef double ALIAS_TTL = 3600.0      # seconds; what it names may be gone before
cdef double ALIAS_WORTH = 1000.0    # nano-USD: one look at a body

cdef tuple CODES = (
    "bad_request", "invalid_api_key", "rate_limited", "request_too_large", "starting",
)


cdef inline object hex_of(uint64_t rid):
    cdef object text = PyUnicode_New(16, 127)
    ph_hex16(rid, <char *> PH_TEXT(text))
    return text


cdef inline bint sane_path(str path):
    return PH_LATIN1(path) and ph_path_ok(PH_TEXT(path), PyUnicode_GET_LENGTH(path))


cdef inline bint sane_head(dict environ):
    """What the server lets pass and nobody behind the edge should see."""
    cdef object protocol = get(environ, "SERVER_PROTOCOL")
    cdef object host = get(environ, "HTTP_HOST")
    if host is None and not PH_IS(protocol, "HTTP/1.0"):
        return False
    if not PH_IS(protocol, "HTTP/1.1") and not PH_IS(protocol, "HTTP/1.0"):
        return False
    if host is None:
        return True
    return PH_LATIN1(host) and memchr(PH_TEXT(host), c",", PyUnicode_GET_LENGTH(host)) is NULL


@cython.final
cdef class Edge(Direct):
    """See edge.pyi."""

    def __cinit__(
        self, app, *, dict routes not None, dict refusals not None, Lane lane=None,
        any_order=(), **_parts,
    ):
        missing = [code for code in CODES if (0, code) not in refusals]
        if missing:
            raise ValueError(f"no refusals for {missing}")
        if not all([sane_path(path) for path in routes]):
            raise ValueError("the path of a route starts with / and has no control bytes")
        self.app = app
        self.lane = lane
        self.routes = dict(routes)
        self.any_order = frozenset(any_order)
        self.refusals = {at: Refusal(*form) for at, form in refusals.items()}

    def __call__(self, dict environ not None, start_response):
        cdef Ask ask
        cdef const uint8_t *text
        cdef size_t length
        cdef int64_t wait
        cdef str path
        cdef object value, body, route
        cdef PyObject *found
        cdef uint64_t h1, h2
        memset(&ask, 0, sizeof(ask))
        ask.t0 = ph_mono_ns()
        self.count += 1
        ask.rid = ph_request_id(self.secret, self.count, self.slot)
        value = get(environ, "PATH_INFO")
        if type(value) is not str:
            return self.refuse(&ask, "bad_request", environ, start_response, 0)
        path = <str> value
        found = PyDict_GetItemWithError(self.routes, path)
        if not (found is not NULL or sane_path(path)) or not sane_head(environ):
            return self.refuse(&ask, "bad_request", environ, start_response, 0)
        if found is not NULL and PH_IS(get(environ, "REQUEST_METHOD"), "POST"):
            route = <object> found
            ask.route = route
            if ph_load_acq(&self.keys.t.head.generation) == 0:
                return self.refuse(&ask, "starting", environ, start_response, 1)
            length = 0
            text = NULL
            value = get(environ, "HTTP_AUTHORIZATION")
            if value is not None and PH_LATIN1(value):
                text = PH_TEXT(value)
                length = ph_bearer(&text, PyUnicode_GET_LENGTH(value))
            if length == 0:
                value = get(environ, "HTTP_X_API_KEY")
                if value is not None and PH_LATIN1(value):
                    text = PH_TEXT(value)
                    length = PyUnicode_GET_LENGTH(value)
            if not self.caller(&ask, text, length):
                return self.refuse(&ask, "invalid_api_key", environ, start_response, 0)
            wait = self.admit(&ask)
            if wait:
                return self.refuse(&ask, "rate_limited", environ, start_response, wait)
            body = body_of(environ, self.max_body)
            if type(body) is str:
                return self.refuse(&ask, <str> body, environ, start_response, 0)
            ask.bytes_in = ph_clamp32(PyBytes_GET_SIZE(body))
            ph_wire_hash(
                self.seeds[ask.route], <const uint8_t *> PyBytes_AS_STRING(body),
                PyBytes_GET_SIZE(body), &ask.h1, &ask.h2,
            )
            # All of these change what the answer may be, and none is part of the cache's key;
            # ph_direct_token knows them too.
            if (not ask.flags & PH_KEY_RESTRICTED
                    and PyDict_GetItemWithError(environ, "HTTP_X_PIHUB_CACHE") is NULL
                    and PyDict_GetItemWithError(environ, "HTTP_ANTHROPIC_BETA") is NULL
                    and PyDict_GetItemWithError(environ, "HTTP_IDEMPOTENCY_KEY") is NULL
                    and PyDict_GetItemWithError(environ, "HTTP_X_PIHUB_DEADLINE") is NULL):
                value = self.hit(&ask, start_response)
                if value is not None:
                    return value
                h1, h2 = ask.h1, ask.h2
                if self.respelled(&ask, <bytes> body):
                    value = self.respelt(&ask, h1, h2, start_response)
                    if value is not None:
                        return value
                if self.any_order and self.reordered(&ask, <bytes> body):
                    value = self.respelt(&ask, h1, h2, start_response)
                    if value is not None:
                        return value
                if (self.lane is not None
                        and PyDict_GetItemWithError(environ, "HTTP_X_PIHUB_POLICY") is NULL
                        and PyDict_GetItemWithError(environ, "HTTP_X_PIHUB_DEADLINE_MS") is NULL):
                    value = self.lane.run(&ask, <bytes> body, environ, start_response)
                    if type(value) is list:
                        return value
                    if value is not None:
                        environ["pihub.begun"] = value
            environ["pihub.principal"] = (ask.key, ask.tenant, ask.flags)
            environ["pihub.body"] = body
            environ["pihub.exact"] = (ask.h1, ask.h2)
            environ["pihub.route"] = route
        environ["pihub.rid"] = ask.rid
        environ["pihub.rid_hex"] = hex_of(ask.rid)
        environ["pihub.t0"] = ask.t0
        environ["pihub.slot"] = self.slot
        return self.app(environ, start_response)

    cdef bint respelled(self, Ask *ask, bytes body):
        """Whether the body has whitespace between its tokens; `ask` then has the keys that it
        would have without. Under those its answer is kept."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
        cdef Py_ssize_t n
        cdef bytes out
        if size > RESPELL:
            return False
        out = PyBytes_FromStringAndSize(NULL, size)
        n = ph_minify(
            <const uint8_t *> PyBytes_AS_STRING(body), size, <uint8_t *> PyBytes_AS_STRING(out),
        )
        if n == 0 or n == size:
            return False
        ph_wire_hash(
            self.seeds[ask.route], <const uint8_t *> PyBytes_AS_STRING(out), n, &ask.h1, &ask.h2,
        )
        return True

    cdef object respelt(self, Ask *ask, uint64_t h1, uint64_t h2, object start_response):
        """A hit under another spelling's keys; the next request of these very bytes (h1, h2)
        then hits at once."""
        value = self.hit(ask, start_response)
        if value is not None:
            self.cache.put(
                h1, h2, ask.tenant, alias_of(ask.h1, ask.h2), ALIAS_TTL, 0.0, 0, ALIAS_WORTH,
            )
        return value

    cdef bint reordered(self, Ask *ask, bytes body):
        """Whether the body is of a model whose members may come in any order, and not in that
        of their names; `ask` then has the keys of that order."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
        cdef size_t n
        cdef int64_t model, length
        cdef bytes compact, out
        if size > RESPELL:
            return False
        compact = PyBytes_FromStringAndSize(NULL, size)
        n = ph_minify(
            <const uint8_t *> PyBytes_AS_STRING(body), size,
            <uint8_t *> PyBytes_AS_STRING(compact),
        )
        out = PyBytes_FromStringAndSize(NULL, size)
        n = ph_sorted(
            <const uint8_t *> PyBytes_AS_STRING(compact), n, <uint8_t *> PyBytes_AS_STRING(out),
            &model, &length,
        )
        if n == 0 or model < 0 or compact[model:model + length] not in self.any_order:
            return False
        ph_wire_hash(
            self.seeds[ask.route], <const uint8_t *> PyBytes_AS_STRING(out), n, &ask.h1, &ask.h2,
        )
        return True

    cdef object refuse(self, Ask *ask, str code, dict environ, object start_response, long retry):
        cdef ph_record event
        cdef char[16] digits
        cdef Refusal r = self.refusals.get((ask.route, code)) or self.refusals[(0, code)]
        rid = hex_of(ask.rid)
        headers = list(r.headers)
        for name in r.ids:
            headers.append((name, rid))
        if retry:
            headers.append(("retry-after", str(retry)))
        if get(environ, "meinheld.client") is None:
            discard(environ)
        body = r.prefix
        if r.suffix is not None:
            ph_hex16(ask.rid, digits)
            body = body + PyBytes_FromStringAndSize(digits, 16) + r.suffix
        memset(&event, 0, sizeof(event))
        event.status = r.status
        event.flags = PH_FLAG_ERROR
        event.reason = PH_REASON_REFUSED
        event.bytes_out = ph_clamp32(PyBytes_GET_SIZE(body))
        self.record(ask, &event)
        start_response(r.line, headers)
        return [] if PH_IS(get(environ, "REQUEST_METHOD"), "HEAD") else [body]

    cdef object hit(self, Ask *ask, object start_response):
        """The answer from the exact cache, None if it has none."""
        cdef ph_cache_hit entry
        cdef ph_wire w
        cdef uint8_t[PH_WIRE_BLOCK] block
        cdef list memo, headers
        cdef uint32_t now = ph_cache_ticks(ask.t0)
        cdef int _
        body = None
        for _ in range(3):
            if not ph_wire_find(
                &self.cache.c, ask.h1, ask.h2, ask.tenant, now, &entry, &w, block,
            ):
                return None
            body = PyBytes_FromStringAndSize(NULL, w.body_len)
            memcpy(PyBytes_AS_STRING(body), ph_wire_body(&entry, &w), w.body_len)
            if ph_cache_still(&entry):
                break
            body = None
        if body is None:
            return None
        memo = self.heads.of(&w, block)
        if memo is None:
            return None
        headers = (<list> memo[2])[:]
        headers[0] = ("x-pihub-request-id", hex_of(ask.rid))
        start_response(memo[1], headers)
        self.close_hit(ask, &w)
        return [body]
