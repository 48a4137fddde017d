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

from pihub._core.atomics cimport ph_load_acq, ph_mono_ns, ph_wall_ns
from pihub._core.cache cimport ph_cache_find, ph_cache_hit, ph_cache_still, ph_cache_ticks
from pihub._core.intake cimport (
    PH_IS, PH_LATIN1, PH_TEXT, PyUnicode_GET_LENGTH, body_of, discard, get,
)
from pihub._core.journal cimport (
    PH_CACHE_HIT, PH_FLAG_ERROR, PH_FLAG_SIMULATED, PH_FLAG_STREAM, PH_REASON_CACHE_EXACT,
    PH_REASON_REFUSED, ph_clamp32, ph_journal_close, ph_journal_wall,
)
from pihub._core.keytable cimport PH_KEY_QUOTA, PH_KEY_RESTRICTED, ph_key_find, ph_key_id
from pihub._core.limiter cimport PH_LIMIT_NEVER, ph_limit_hit
from pihub._core.wire cimport (
    PH_WIRE_BLOCK, PH_WIRE_MAGIC, PH_WIRE_SIMULATED, PH_WIRE_STREAM, Heads, Refusal, ph_bearer,
    ph_hex16, ph_path_ok, ph_request_id, ph_wire, ph_wire_hash, ph_wire_seed,
)

from pihub._core.wire import pack_wire, wire_key  # no-cython-lint

cdef extern from *:
    object PyUnicode_New(Py_ssize_t size, uint32_t maxchar)


cdef enum:
    ROUTES = 64

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
cdef class Edge:
    """See edge.pyi."""

    def __cinit__(
        self, app, *, unsigned slot, bytes secret not None, uint64_t epoch, Cache cache not None,
        KeyTable keys not None, Limiter limiter not None, Journal journal not None,
        dict routes not None, dict refusals not None, int64_t max_body, Lane lane=None,
        Limiter quotas=None,
    ):
        if PyBytes_GET_SIZE(secret) != 32:
            raise ValueError("the secret has 32 bytes")
        if slot != journal.j.slot:
            raise ValueError(f"slot {slot} with the journal of slot {journal.j.slot}")
        if not 0 <= max_body < 1 << 40:
            raise ValueError(f"bad max_body {max_body}")
        missing = [code for code in CODES if (0, code) not in refusals]
        if missing:
            raise ValueError(f"no refusals for {missing}")
        if not all(0 <= number < ROUTES for number in routes.values()):
            raise ValueError(f"route numbers are below {ROUTES}")
        if not all([sane_path(path) for path in routes]):
            raise ValueError("the path of a route starts with / and has no control bytes")
        self.app = app
        self.cache = cache
        self.keys = keys
        self.limiter = limiter
        self.quotas = quotas
        self.tenants = 0 if quotas is None else quotas.n_rows
        self.journal = journal
        self.lane = lane
        self.routes = dict(routes)
        self.refusals = {at: Refusal(*form) for at, form in refusals.items()}
        self.heads = Heads()
        for number in range(ROUTES):
            self.seeds[number] = ph_wire_seed(
                <const uint8_t *> PyBytes_AS_STRING(secret), epoch, number
            )
        memcpy(&self.secret, PyBytes_AS_STRING(secret), sizeof(self.secret))
        self.count = ph_wall_ns() >> 4
        self.max_body = max_body
        self.slot = slot

    def __call__(self, dict environ not None, start_response):
        cdef Ask ask
        cdef ph_key_id who
        cdef const uint8_t *text
        cdef size_t length
        cdef int64_t wait
        cdef str path
        cdef object value, body, route
        cdef PyObject *found
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
            if length == 0 or not ph_key_find(
                &self.keys.t, text, length,
                ph_journal_wall(&self.journal.j, ask.t0, ask.t0) // 1000000000, &who,
            ):
                return self.refuse(&ask, "invalid_api_key", environ, start_response, 0)
            ask.key = who.key
            ask.tenant = who.tenant
            ask.flags = who.flags
            if who.key < self.limiter.n_rows:
                wait = ph_limit_hit(self.limiter.rows + who.key, ask.t0, 1)
                if wait == 0 and who.flags & PH_KEY_QUOTA and who.tenant < self.tenants:
                    wait = ph_limit_hit(self.quotas.rows + who.tenant, ask.t0, 1)
                if wait:
                    wait = 86400 if wait == PH_LIMIT_NEVER else (wait + 999999999) // 1000000000
                    return self.refuse(&ask, "rate_limited", environ, start_response, wait)
            body = body_of(environ, self.max_body)
            if type(body) is str:
                return self.refuse(&ask, <str> body, environ, start_response, 0)
            ask.bytes_in = ph_clamp32(PyBytes_GET_SIZE(body))
            ph_wire_hash(
                self.seeds[ask.route], <const uint8_t *> PyBytes_AS_STRING(body),
                PyBytes_GET_SIZE(body), &ask.h1, &ask.h2,
            )
            # All of these change what the answer may be, and none is part of the cache's key.
            if (not who.flags & PH_KEY_RESTRICTED
                    and PyDict_GetItemWithError(environ, "HTTP_X_PIHUB_CACHE") is NULL
                    and PyDict_GetItemWithError(environ, "HTTP_ANTHROPIC_BETA") is NULL
                    and PyDict_GetItemWithError(environ, "HTTP_IDEMPOTENCY_KEY") is NULL
                    and PyDict_GetItemWithError(environ, "HTTP_X_PIHUB_DEADLINE") is NULL):
                value = self.hit(&ask, start_response)
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
        cdef ph_record event
        cdef ph_wire w
        cdef uint8_t[PH_WIRE_BLOCK] block
        cdef list memo, headers
        cdef uint32_t now = ph_cache_ticks(ask.t0)
        cdef int _
        cdef const uint8_t *tail
        body = None
        for _ in range(3):
            if not ph_cache_find(&self.cache.c, ask.h1, ask.h2, ask.tenant, now, 0, &entry):
                return None
            if entry.len < sizeof(w) or entry.raw:
                return None
            memcpy(&w, entry.value, sizeof(w))
            if not ph_cache_still(&entry):
                continue
            if w.magic != PH_WIRE_MAGIC or w.block_len > PH_WIRE_BLOCK:
                return None
            if entry.len - sizeof(w) < w.block_len:
                return None
            memcpy(block, entry.value + sizeof(w), w.block_len)
            tail = entry.value + sizeof(w) + w.block_len
            body = PyBytes_FromStringAndSize(NULL, entry.len - sizeof(w) - w.block_len)
            memcpy(PyBytes_AS_STRING(body), tail, PyBytes_GET_SIZE(body))
            if ph_cache_still(&entry):
                break
            body = None
        if body is None:
            return None
        memo = self.heads.of(&w, block)
        if memo is None or w.body_len != <uint64_t> PyBytes_GET_SIZE(body):
            return None
        headers = (<list> memo[2])[:]
        headers[0] = ("x-pihub-request-id", hex_of(ask.rid))
        memset(&event, 0, sizeof(event))
        event.status = w.status
        event.cache = PH_CACHE_HIT
        event.reason = PH_REASON_CACHE_EXACT
        if w.flags & PH_WIRE_STREAM:
            event.flags |= PH_FLAG_STREAM
        if w.flags & PH_WIRE_SIMULATED:
            event.flags |= PH_FLAG_SIMULATED
        event.saved_nano = w.saved_nano
        event.in_tok = w.in_tok
        event.out_tok = w.out_tok
        event.model = w.model
        event.upstream = w.upstream
        event.alias = w.alias
        event.bytes_out = w.body_len
        start_response(memo[1], headers)
        self.record(ask, &event)
        return [body]

    cdef void record(self, const Ask *ask, ph_record *event) noexcept:
        """Count the request and hand its event to the recorder."""
        event.rid = ask.rid
        event.bytes_in = ask.bytes_in
        event.key = ask.key
        event.tenant = ask.tenant
        event.route = ask.route
        ph_journal_close(&self.journal.j, event, ask.t0)
