# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""A way of the lane: all that can be known of a model's chats before the first of them.

Promise   what a way was built from is checked once, so that nothing is at each request; and
          what read_ask, read_answer and read_head call plain, the decoders read alike.
Writers   the worker that built it.
Failure   whatever does not fit raises when the way is built. RAM: about 1 KiB a way.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from pihub._core.atomics cimport ph_load_acq
from pihub._core.board cimport Board

LIMIT_RATE = 10**9

ph_head_init()


cdef int64_t rate(value) except -1:
    if not 0 <= value < LIMIT_RATE:
        raise ValueError("a rate of 1000 USD a million tokens or more")
    return value


@cython.final
cdef class Way:
    """See lane.pyi."""

    def __cinit__(
        self, *, str protocol not None, bytes head not None, bytes model not None, str version,
        Breaker breakers not None, size_t row, uint32_t calls, uint32_t ok, take, release,
        tuple names not None, bint simulated, tuple shown not None, tuple price, unpriced,
        double headers, double total, tuple boards not None, may not None,
    ):
        cdef Board board

        self.protocol = {"openai": PH_LANE_OPENAI, "anthropic": PH_LANE_ANTHROPIC}[protocol]
        tail = b"content-length: 0\r\n\r\n"
        if not head.endswith(b"\r\n" + tail):
            raise ValueError("the head of an empty call ends with its length")
        self.head = head[:len(head) - 5]
        self.model = model
        self.version = version
        self.breaker = breakers.at(row)
        self.breakers = breakers
        self.calls = calls
        self.ok = ok
        self.take = take
        self.release = release
        self.model_name, self.upstream_name, self.alias_name = names
        self.simulated = simulated
        self.shown = shown
        self.unpriced = unpriced
        self.headers = headers
        self.total = total
        for board in boards:
            if board is None:
                raise TypeError("a board is a board")
        self.boards = boards
        self.may = may
        if price is not None:
            self.price.known = 1
            rates, self.price.long_above, long_rates = price
            for i in range(5):
                self.price.rates[i] = rate(rates[i])
                self.price.long_rates[i] = rate(long_rates[i])

    def is_open(self):
        return self.opens()

    cdef bint opens(self) except -1:
        """Whether chats may go here now; asks only when a board has news."""
        cdef uint64_t news = 1
        cdef Board board
        for board in self.boards:
            news += ph_load_acq(&board.b.generation)
        if news != self.news:
            self.open = self.may()
            self.news = news
        return self.open


def read_ask(bytes body not None):
    cdef ph_lane_ask said
    cdef const char *p = PyBytes_AS_STRING(body)
    if not ph_lane_read_ask(<const uint8_t *> p, PyBytes_GET_SIZE(body), &said):
        return None
    name = PyBytes_FromStringAndSize(p + said.model, said.model_len)
    return name, said.temperature if said.has_temperature else None


def read_answer(str protocol not None, bytes body not None):
    cdef ph_lane_answer told
    cdef const char *p = PyBytes_AS_STRING(body)
    cdef int number = {"openai": PH_LANE_OPENAI, "anthropic": PH_LANE_ANTHROPIC}[protocol]
    if not ph_lane_read_answer(number, <const uint8_t *> p, PyBytes_GET_SIZE(body), &told):
        return None
    stop = PyBytes_FromStringAndSize(p + told.stop, told.stop_len)
    usage = None
    if told.has_usage:
        usage = (told.input, told.output, told.cache_read, told.write_5m, told.write_1h)
    return usage, stop


def read_head(bytes data not None):
    cdef int64_t length
    cdef int64_t at = ph_lane_head(
        <const uint8_t *> PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), &length
    )
    return None if at < 0 else (at, length)
