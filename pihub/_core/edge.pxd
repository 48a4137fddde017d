"""The edge: its C parts and its one class."""
from libc.stdint cimport int64_t, uint64_t

from pihub._core.direct cimport Direct
from pihub._core.lane cimport Ask, Lane

cdef class Edge(Direct):
    cdef object app
    cdef Lane lane              # None: every chat takes the pipeline
    cdef dict routes            # path -> route number
    cdef dict refusals          # (route number, code) -> Refusal
    cdef frozenset any_order    # models (raw names) whose requests' members have no order

    cdef object refuse(self, Ask *ask, str code, dict environ, object start_response, long retry)
    cdef object hit(self, Ask *ask, object start_response)
    cdef object respelt(
        self, Ask *ask, uint64_t h1, uint64_t h2, object start_response)
    cdef bint respelled(self, Ask *ask, bytes body)
    cdef bint reordered(self, Ask *ask, bytes body)
