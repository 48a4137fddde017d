# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""The lane: a chat that merely passes through, from the edge to its upstream and back.

Promise   what it answers is what the pipeline would have answered, counted and recorded:
          headers, cost, record. What is not plain goes to the pipeline, also in the middle
          of the call: the connection and what came so far are handed over (`Begun`).
Writers   one worker, through its journal and its rows of the counters.
Cost      three short Python calls (take, wait, release), two system calls of its own.
Failure   whatever it does not understand is the pipeline's. RAM: 64 KiB a worker, and
          what way.pyx says of a way.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItemWithError
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy, memset

from pihub._core.atomics cimport ph_load_acq, ph_load_rlx, ph_mono_ns
from pihub._core.breaker cimport PH_CLOSED, ph_br_kind, ph_br_record
from pihub._core.counters cimport ph_counter_add, ph_counter_at
from pihub._core.histogram cimport ph_hist_record
from pihub._core.journal cimport (
    PH_CACHE_BYPASS, PH_COLUMN_IN_FLIGHT, PH_FLAG_ESTIMATED, PH_FLAG_SIMULATED,
    PH_JOURNAL_STAGES, PH_REASON_FIRST_CHOICE, PH_SERIES_INSPECT, PH_SERIES_UPSTREAM,
    PH_WHY_TEMPERATURE, PH_WHY_TEMPERATURE_UNSET, ph_clamp32, ph_journal_close, ph_record,
)
from pihub._core.keytable cimport PH_KEY_QUOTA
from pihub._core.way cimport (
    PH_COLUMN_LANE, Way, ph_head_init, ph_lane_answer, ph_lane_ask,
    ph_lane_cost, ph_lane_head, ph_lane_read_answer, ph_lane_read_ask,
)
from pihub._core.wire cimport ph_hex16

cdef extern from "<sys/socket.h>" nogil:
    enum:
        MSG_DONTWAIT
        MSG_NOSIGNAL
    Py_ssize_t send(int fd, const void *data, size_t n, int flags)
    Py_ssize_t recv(int fd, void *data, size_t n, int flags)

cdef extern from *:
    object PyUnicode_New(Py_ssize_t size, uint32_t maxchar)
    void *PyUnicode_DATA(object s)

cdef enum:
    ROUTES = 64
    BODY = 65536     # of a request: what the connector sends in one piece, too
    BUFFER = 65536   # of an answer
    CHARS_PER_TOKEN = 4

cdef tuple JSON_BODY = ("content-type", "application/json")
cdef tuple BYPASS_UNSET = ("x-pihub-cache", "BYPASS; temperature-unset")
cdef tuple BYPASS_HIGH = ("x-pihub-cache", "BYPASS; temperature")
cdef tuple FIRST_CHOICE = ("x-pihub-reason", "first choice")
cdef tuple FREE = ("x-pihub-cost", "0")
cdef dict STOPPED = {
    word.encode(): ("x-pihub-stop", word)
    for word in (
        "stop", "length", "tool_calls", "function_call", "content_filter", "end_turn",
        "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal",
    )
}

ph_head_init()


@cython.final
cdef class Begun:
    """See lane.pyi."""


@cython.final
cdef class Lane:
    """See lane.pyi."""

    def __cinit__(
        self, *, Journal journal not None, Counters counters not None, Counters upstreams not None,
        double temperature, int64_t limit, int64_t largest, int64_t max_header, wait, client_fd,
        Cache cache not None, uint64_t least_room, Counters machine not None, tuple share not None,
    ):
        if journal.j.slot >= upstreams.c.rows or journal.j.slot >= counters.c.rows:
            raise IndexError("the slot has no row of its own")
        if <uint32_t> max(PH_COLUMN_IN_FLIGHT, PH_COLUMN_LANE) >= counters.c.columns:
            raise ValueError("too few columns of counters")
        self.journal = journal
        self.counters = counters
        self.upstreams = upstreams
        self.temperature = temperature
        self.limit = limit
        self.largest = largest
        self.max_header = max_header
        self.cache = cache
        self.least_room = least_room
        self.machine = machine
        self.share_row, self.share_column = share
        if self.share_row >= machine.c.rows or self.share_column >= machine.c.columns:
            raise IndexError("no such row or column of the machine")
        self.wait = wait
        self.client_fd = client_fd
        self.ways = [None] * ROUTES
        self.buffer = <uint8_t *> PyMem_Malloc(BUFFER)
        if self.buffer is NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.buffer)

    def add(self, unsigned route, bytes name not None, Way way not None):
        if route >= ROUTES or max(way.calls, way.ok) >= self.upstreams.c.columns:
            raise IndexError("no such route or column")
        if self.ways[route] is None:
            self.ways[route] = {}
        self.ways[route][name] = way

    cdef object run(self, const Ask *ask, bytes body, dict environ, object start_response):
        """The answer's iterable; None: nothing was done; a Begun: the pipeline goes on."""
        cdef ph_lane_ask said
        cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(body)
        cdef PyObject *found
        cdef Way way
        cdef Begun begun
        cdef uint64_t room
        cdef int64_t share, limit = self.limit
        cdef uint32_t slot = self.journal.j.slot
        ways = self.ways[ask.route]
        # A flag of the key's may mean anything; only the quota is the edge's own.
        if ways is None or ask.flags & ~PH_KEY_QUOTA or PyBytes_GET_SIZE(body) > BODY:
            return None
        # A client's trace goes on to the upstream, which the pipeline sees to.
        if PyDict_GetItemWithError(environ, "HTTP_TRACEPARENT") is not NULL:
            return None
        if not ph_lane_read_ask(p, PyBytes_GET_SIZE(body), &said):
            return None
        if said.has_temperature and not said.temperature > self.temperature:
            return None
        name = PyBytes_FromStringAndSize(<char *> p + said.model, said.model_len)
        found = PyDict_GetItemWithError(<dict> ways, name)
        if found is NULL:
            return None
        way = <Way> found
        room = ph_load_rlx(&self.cache.c.head.room)
        if not way.opens() or 0 < room <= self.least_room:
            return None
        if way.version is not None:
            found = PyDict_GetItemWithError(environ, "HTTP_ANTHROPIC_VERSION")
            if found is not NULL and <object> found != way.version:
                return None
        if ph_br_kind(ph_load_acq(&way.breaker.state)) != PH_CLOSED:
            return None
        share = <int64_t> ph_load_rlx(
            ph_counter_at(&self.machine.c, self.share_row, self.share_column)
        )
        if 0 < share < 1000:  # as shared.machine.share: thousandths, at least one request
            limit = max(<int64_t> 1, limit * share // 1000)
        if <int64_t> ph_load_rlx(
            ph_counter_at(&self.counters.c, slot, PH_COLUMN_IN_FLIGHT)
        ) >= limit:
            return None
        begun = Begun.__new__(Begun)
        begun.start_ns = ph_mono_ns()
        begun.connection = way.take(<double> begun.start_ns * 1e-9)
        if begun.connection is None:
            return None
        ph_counter_add(&self.counters.c, slot, PH_COLUMN_IN_FLIGHT, 1)
        try:
            headers = self.call(ask, &said, way, body, self.client_fd(environ), begun)
        except BaseException:
            begun.connection.discard()
            raise
        finally:
            ph_counter_add(&self.counters.c, slot, PH_COLUMN_IN_FLIGHT, -1)
        if headers is None:
            return begun
        start_response("200 OK", headers)
        return [begun.data]

    cdef object call(
        self, const Ask *ask, const ph_lane_ask *said, Way way, bytes body, object client_fd,
        Begun begun,
    ):
        """The answer's headers, its body in `begun.data`; None: `begun` goes on."""
        cdef char[32] digits
        cdef Py_ssize_t had = PyBytes_GET_SIZE(body)
        cdef Py_ssize_t start = said.model - 1
        cdef Py_ssize_t end = said.model + said.model_len + 1
        cdef Py_ssize_t size = PyBytes_GET_SIZE(way.model)
        cdef Py_ssize_t got = 0
        cdef Py_ssize_t head = PyBytes_GET_SIZE(way.head)
        cdef Py_ssize_t n = snprintf(
            digits, sizeof(digits), b"%zd\r\n\r\n", <Py_ssize_t> (had - (end - start) + size)
        )
        cdef int fd = begun.connection.fd
        cdef char *out
        wire = PyBytes_FromStringAndSize(NULL, head + n + had - (end - start) + size)
        out = PyBytes_AS_STRING(wire)
        memcpy(out, PyBytes_AS_STRING(way.head), head)
        memcpy(out + head, digits, n)
        out += head + n
        memcpy(out, PyBytes_AS_STRING(body), start)
        memcpy(out + start, PyBytes_AS_STRING(way.model), size)
        memcpy(out + start + size, PyBytes_AS_STRING(body) + end, had - end)
        begun.wire = wire
        begun.data = b""
        begun.total_at = <double> begun.start_ns * 1e-9 + way.total
        ph_counter_add(&self.upstreams.c, self.journal.j.slot, way.calls, 1)
        begun.sent = send(
            fd, PyBytes_AS_STRING(wire), PyBytes_GET_SIZE(wire), MSG_DONTWAIT | MSG_NOSIGNAL
        )
        if begun.sent < 0 and (errno == EAGAIN or errno == EINTR):
            begun.sent = 0
        begun.at = <double> ph_mono_ns() * 1e-9 + way.headers
        if begun.sent != PyBytes_GET_SIZE(wire):
            return None
        if not self.receive(begun, fd, client_fd, &got):
            return None
        headers = self.settle(ask, said, way, begun, got)
        if headers is None:
            begun.data = PyBytes_FromStringAndSize(<char *> self.buffer, got)
        return headers

    cdef bint receive(self, Begun begun, int fd, object client_fd, Py_ssize_t *got) except -1:
        """The first bytes into the buffer. False: none came, or the upstream left."""
        cdef double at = min(begun.at, begun.total_at)
        wait = self.wait
        while True:
            try:
                wait(fd, deadline=at, client_fd=client_fd)
            except Exception as error:
                begun.error = error
                return False
            got[0] = recv(fd, self.buffer, BUFFER, MSG_DONTWAIT)
            if got[0] > 0:
                return True
            if got[0] == 0 or not (errno == EAGAIN or errno == EINTR):
                return False

    cdef object settle(
        self, const Ask *ask, const ph_lane_ask *said, Way way, Begun begun, Py_ssize_t got,
    ):
        """Count and record the answer in the buffer; None if it is not plain.

        No Python code runs before the body is copied: the buffer is all requests'.
        """
        cdef ph_lane_answer told
        cdef ph_record event
        cdef int64_t length, at
        cdef uint64_t us, t2 = ph_mono_ns()
        cdef uint32_t slot = self.journal.j.slot
        cdef int i
        if got == BUFFER:
            return None
        at = ph_lane_head(self.buffer, got, &length)
        if at < 0 or at + length != got or at > self.max_header or length > self.largest:
            return None
        if not ph_lane_read_answer(way.protocol, self.buffer + at, length, &told):
            return None
        stop = None
        if told.stop_len:
            stop = STOPPED.get(
                PyBytes_FromStringAndSize(<char *> self.buffer + at + told.stop, told.stop_len)
            )
            if stop is None:
                return None
        begun.data = PyBytes_FromStringAndSize(<char *> self.buffer + at, length)
        memset(&event, 0, sizeof(event))
        us = (t2 - begun.start_ns) // 1000
        ph_hist_record(&self.journal.j.latency, slot, PH_SERIES_UPSTREAM, us)
        event.stage_us[0] = ph_clamp32((begun.start_ns - ask.t0) // 1000)
        event.stage_us[3] = ph_clamp32(us)
        event.ttft_us = ph_clamp32((t2 - ask.t0) // 1000)
        ph_br_record(way.breaker, 1, t2 // 1000000)
        ph_counter_add(&self.upstreams.c, slot, way.ok, 1)
        event.flags = PH_FLAG_SIMULATED if way.simulated else 0
        if not told.has_usage:
            event.flags |= PH_FLAG_ESTIMATED
            told.input = max(1, <int64_t> ask.bytes_in // CHARS_PER_TOKEN)
            told.output = (length + CHARS_PER_TOKEN - 1) // CHARS_PER_TOKEN
        event.cost_nano = ph_lane_cost(&way.price, &told) if way.price.known else -1
        if event.cost_nano < 0:
            way.unpriced()
        headers = [
            JSON_BODY,
            ("x-pihub-request-id", hex_of(ask.rid)),
            BYPASS_HIGH if said.has_temperature else BYPASS_UNSET,
        ]
        headers += way.shown
        if event.cost_nano >= 0:
            headers.append(cost_of(event.cost_nano))
        headers.append(FIRST_CHOICE)
        if stop is not None:
            headers.append(stop)
        headers.append(("content-length", str(length)))
        # Last of what can raise: run() closes the connection then, and nobody may have it.
        way.release(begun.connection)
        event.rid = ask.rid
        event.in_tok = ph_clamp32(told.input)
        event.out_tok = ph_clamp32(told.output)
        event.cache_read_tok = ph_clamp32(told.cache_read)
        event.cache_write_tok = ph_clamp32(told.write_5m + told.write_1h)
        event.bytes_in = ask.bytes_in
        event.bytes_out = ph_clamp32(length)
        event.key = ask.key
        event.tenant = ask.tenant
        event.route = ask.route
        event.status = 200
        event.model = way.model_name
        event.upstream = way.upstream_name
        event.alias = way.alias_name
        event.cache = PH_CACHE_BYPASS
        event.attempts = 1
        event.reason = PH_REASON_FIRST_CHOICE
        event.why = PH_WHY_TEMPERATURE if said.has_temperature else PH_WHY_TEMPERATURE_UNSET
        event.stage_us[4] = ph_clamp32((ph_mono_ns() - t2) // 1000)
        for i in range(PH_JOURNAL_STAGES):
            ph_hist_record(
                &self.journal.j.latency, slot, PH_SERIES_INSPECT + i,
                event.stage_us[i] if i < 5 else 0,
            )
        ph_counter_add(&self.counters.c, slot, PH_COLUMN_LANE, 1)
        ph_journal_close(&self.journal.j, &event, ask.t0)
        return headers


cdef inline object hex_of(uint64_t rid):
    cdef object text = PyUnicode_New(16, 127)
    ph_hex16(rid, <char *> PyUnicode_DATA(text))
    return text


cdef tuple cost_of(int64_t nano):
    """nano-USD as decimal USD without trailing zeros."""
    cdef char[40] text
    cdef int n
    if nano == 0:
        return FREE
    n = snprintf(
        text, sizeof(text), b"%lld.%09lld", <long long> (nano // 1000000000),
        <long long> (nano % 1000000000),
    )
    while text[n - 1] == c"0":
        n -= 1
    if text[n - 1] == c".":
        n -= 1
    return ("x-pihub-cost", text[:n].decode("ascii"))
