"""The shared mapping, and how the other structures find their bytes in it."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from pihub._core.atomics cimport ph_a32, ph_a64

cdef extern from "ph_layout.h" nogil:
    uint64_t PH_MAGIC
    uint32_t PH_LAYOUT
    size_t PH_LINE
    int PH_MAX_REGIONS
    int PH_MAX_SLOTS
    int PH_NAME
    size_t PH_REGIONS_AT
    size_t PH_SLOTS_AT
    uint64_t PH_MAX_PAGE

    ctypedef struct ph_header:
        uint64_t magic
        uint32_t layout
        uint32_t page_size
        uint64_t size
        uint64_t boot_id
        uint8_t *secret
        uint32_t creator_pid
        uint32_t n_slots
        uint32_t n_regions
        uint16_t sizeof_header
        uint16_t sizeof_region
        uint16_t sizeof_slot
        uint16_t sizeof_event
        uint16_t sizeof_head
        uint64_t created_ns

    ctypedef struct ph_region:
        char *name
        uint64_t off
        uint64_t len

    ctypedef struct ph_slot:
        ph_a64 word
        ph_a64 beat_ms

    ctypedef struct ph_head:
        ph_a32 kind
        uint64_t *shape

    ctypedef struct ph_event:
        pass

    uint32_t PH_KIND_COUNTERS
    uint32_t PH_KIND_BOARD
    uint32_t PH_KIND_NAMES
    uint32_t PH_KIND_RING
    uint32_t PH_KIND_HISTOGRAM
    uint32_t PH_KIND_KEYTABLE
    uint32_t PH_KIND_CACHE
    uint32_t PH_KIND_INFLIGHT
    uint32_t PH_KIND_LIMITER
    uint32_t PH_KIND_BREAKER
    uint32_t PH_KIND_QUEUE
    uint32_t PH_KIND_SPEEDS

    uint64_t ph_round_up(uint64_t n, uint64_t unit)


cdef class Arena:
    cdef uint8_t *base          # page-aligned; valid as long as this object lives
    cdef size_t length
    cdef bint writable          # false: the mapping is PROT_READ, a store would be SIGSEGV
    cdef readonly uint64_t page  # bytes; what regions begin at multiples of
    cdef readonly int fd        # owned: closed with this object
    cdef readonly int n_slots
    cdef readonly int creator_pid
    cdef int n_regions

    cdef int map_fd(self, int fd, size_t size, bint writable) except -1
    cdef int check(self, size_t file_size) except -1
    cdef ph_region *find(self, str name) except NULL
    cdef ph_slot *slot(self, int slot) except NULL
    # Raw bytes of a region. KeyError: no such region; ValueError: shorter than `need`.
    cdef uint8_t *at(self, str name, size_t need) except NULL
    # The same behind a ph_head: the first opening writes kind and shape, later ones (of
    # any process) must agree, else ValueError. `need` includes the 128 bytes of the head;
    # returns the first byte after it (128-aligned).
    cdef uint8_t *open(
        self, str name, uint32_t kind, size_t need,
        uint64_t s0, uint64_t s1, uint64_t s2, uint64_t s3,
    ) except NULL
    cdef int must_write(self) except -1
