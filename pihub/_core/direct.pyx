# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""A hit from bytes to bytes: what the server asks before it makes an environ.

Promise   what is answered here the edge would have answered alike, and counted alike; what
          is not leaves nothing behind: no count, no record, no charged limit.
Layout    include/ph_direct.h
Writers   one worker, through its journal.
Cost      a hit: two clock reads, one SipHash, one XXH3, one copy, no Python object.
Failure   in doubt the answer is no. RAM: 256 KiB a worker, taken as answers touch it.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from pihub._core.atomics cimport ph_load_acq, ph_mono_ns, ph_wall_ns
from pihub._core.cache cimport ph_cache_hit, ph_cache_still, ph_cache_ticks
from pihub._core.journal cimport (
    PH_CACHE_HIT, PH_FLAG_SIMULATED, PH_FLAG_STREAM, PH_REASON_CACHE_EXACT, ph_clamp32,
    ph_journal_close, ph_journal_wall,
)
from pihub._core.keytable cimport PH_KEY_QUOTA, PH_KEY_RESTRICTED, ph_key_find, ph_key_id
from pihub._core.limiter cimport PH_LIMIT_NEVER, ph_limit_correct, ph_limit_hit
from pihub._core.wire cimport (
    PH_DIRECT, PH_WIRE_BLOCK, PH_WIRE_SIMULATED, PH_WIRE_STREAM, ph_direct_token, ph_hex16,
    ph_request_id, ph_wire_body, ph_wire_find, ph_wire_hash, ph_wire_seed,
)

import re

cdef enum:
    ROOM = 256 << 10
    ID_LINE = 38   # "x-pihub-request-id: ", 16 digits, CR LF

cdef object PLAIN = re.compile("/[0-9A-Za-z/._-]*").fullmatch


cdef int answer(void *self, const ph_direct_ask *said, ph_direct_answer *out) noexcept:
    try:
        return (<Direct> self).reply(said, out)
    except MemoryError:   # of a head seen for the first time
        return 0


cdef class Direct:
    """See direct.pyi."""

    def __cinit__(
        self, app, *, unsigned slot, bytes secret not None, uint64_t epoch, Cache cache not None,
        KeyTable keys not None, Limiter limiter not None, Journal journal not None,
        dict routes not None, int64_t max_body, Limiter quotas=None,
        # The edge's; named, so that an unknown one is a TypeError.
        refusals=None, lane=None, any_order=(),
    ):
        if PyBytes_GET_SIZE(secret) != 32:
            raise ValueError("the secret has 32 bytes")
        if slot != journal.j.slot:
            raise ValueError(f"slot {slot} with the journal of slot {journal.j.slot}")
        if not 0 <= max_body < 1 << 40:
            raise ValueError(f"bad max_body {max_body}")
        if not all(0 <= number < ROUTES for number in routes.values()):
            raise ValueError(f"route numbers are below {ROUTES}")
        self.cache = cache
        self.keys = keys
        self.limiter = limiter
        self.quotas = quotas
        self.tenants = 0 if quotas is None else quotas.n_rows
        self.journal = journal
        self.heads = Heads()
        for number in range(ROUTES):
            self.seeds[number] = ph_wire_seed(
                <const uint8_t *> PyBytes_AS_STRING(secret), epoch, number
            )
        memcpy(&self.secret, PyBytes_AS_STRING(secret), sizeof(self.secret))
        self.count = ph_wall_ns() >> 4
        self.max_body = max_body
        self.slot = slot
        self.texts = []
        for path, number in list(routes.items())[:ROUTES]:
            if PLAIN(path):
                text = path.encode()
                self.texts.append(text)
                self.paths[self.n_paths] = Path(PyBytes_AS_STRING(text), len(text), number)
                self.n_paths += 1
        self.room = <uint8_t *> PyMem_RawMalloc(ROOM)
        if self.room is NULL:
            raise MemoryError
        self.face.self = <void *> self
        self.face.answer = answer

    def __dealloc__(self):
        PyMem_RawFree(self.room)

    @property
    def direct(self):
        return PyCapsule_New(&self.face, PH_DIRECT, NULL)

    cdef bint caller(self, Ask *ask, const uint8_t *token, size_t length) noexcept:
        """Who has this token: key, tenant and flags; False if nobody."""
        cdef ph_key_id who
        cdef uint64_t now = ph_journal_wall(&self.journal.j, ask.t0, ask.t0) // 1000000000
        if length == 0 or not ph_key_find(&self.keys.t, token, length, now, &who):
            return False
        ask.key = who.key
        ask.tenant = who.tenant
        ask.flags = who.flags
        return True

    cdef int64_t admit(self, Ask *ask) noexcept:
        """Charge the limits of key and tenant; 0, or seconds to wait (nothing is charged)."""
        cdef int64_t wait
        if ask.key >= self.limiter.n_rows:
            return 0
        wait = ph_limit_hit(self.limiter.rows + ask.key, ask.t0, 1)
        if wait == 0 and ask.flags & PH_KEY_QUOTA and ask.tenant < self.tenants:
            wait = ph_limit_hit(self.quotas.rows + ask.tenant, ask.t0, 1)
            if wait:
                ph_limit_correct(self.limiter.rows + ask.key, -1)
        if wait == 0:
            return 0
        return 86400 if wait == PH_LIMIT_NEVER else (wait + 999999999) // 1000000000

    cdef int reply(self, const ph_direct_ask *said, ph_direct_answer *answer) except -1:
        """1 and the answer, if it lies in the exact cache; else 0."""
        cdef Ask ask
        cdef ph_cache_hit entry
        cdef ph_wire w
        cdef uint8_t[PH_WIRE_BLOCK] block
        cdef const uint8_t *token = NULL
        cdef size_t length, i
        cdef bytes line, lines
        cdef uint8_t *to
        cdef int _
        cdef object memo
        for i in range(self.n_paths):
            if (self.paths[i].size == said.path.len
                    and memcmp(self.paths[i].text, said.path.at, said.path.len) == 0):
                break
        else:
            return 0
        memset(&ask, 0, sizeof(ask))
        ask.route = self.paths[i].number
        length = ph_direct_token(said, &token)
        if (length == 0 or said.body.len > <size_t> self.max_body
                or ph_load_acq(&self.keys.t.head.generation) == 0):
            return 0
        ask.t0 = ph_mono_ns()
        if not self.caller(&ask, token, length) or ask.flags & PH_KEY_RESTRICTED:
            return 0
        ph_wire_hash(
            self.seeds[ask.route], <const uint8_t *> said.body.at, said.body.len, &ask.h1, &ask.h2,
        )
        for _ in range(3):
            if not ph_wire_find(
                &self.cache.c, ask.h1, ask.h2, ask.tenant, ph_cache_ticks(ask.t0), &entry, &w,
                block,
            ):
                return 0
            if ROOM - PH_WIRE_BLOCK * 3 < w.body_len:
                return 0
            # The lines' length is known only with the memo, the memo only once block is true.
            if not ph_cache_still(&entry):
                continue
            memo = self.heads.of(&w, block)
            if memo is None or (<list> memo)[3] is None:
                return 0
            line, lines = <tuple> (<list> memo)[3]
            to = self.room
            memcpy(to, <const char *> b"x-pihub-request-id: ", 20)
            memcpy(to + ID_LINE - 2, <const char *> b"\r\n", 2)
            memcpy(to + ID_LINE, PyBytes_AS_STRING(lines), PyBytes_GET_SIZE(lines))
            to += ID_LINE + PyBytes_GET_SIZE(lines)
            memcpy(to, <const char *> b"\r\n", 2)
            memcpy(to + 2, ph_wire_body(&entry, &w), w.body_len)
            if ph_cache_still(&entry):
                break
        else:
            return 0
        if self.admit(&ask):
            return 0   # the general way says so, and in the client's protocol
        self.count += 1
        ask.rid = ph_request_id(self.secret, self.count, self.slot)
        ph_hex16(ask.rid, <char *> self.room + 20)
        ask.bytes_in = ph_clamp32(said.body.len)
        answer.line.at = PyBytes_AS_STRING(line)
        answer.line.len = PyBytes_GET_SIZE(line)
        answer.rest.at = <const char *> self.room
        answer.rest.len = ID_LINE + PyBytes_GET_SIZE(lines) + 2 + w.body_len
        self.close_hit(&ask, &w)
        return 1

    cdef void close_hit(self, const Ask *ask, const ph_wire *w) noexcept:
        cdef ph_record event
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
        event.look = w.look
        self.record(ask, &event)

    cdef void record(self, const Ask *ask, ph_record *event) noexcept:
        """Count the request and hand its event to the recorder."""
        event.rid = ask.rid
        event.bytes_in = ask.bytes_in
        event.key = ask.key
        event.tenant = ask.tenant
        event.route = ask.route
        ph_journal_close(&self.journal.j, event, ask.t0)
