# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""One memfd mapping shared by the arbiter, the workers and the control process.

Promise   what is written by one process is seen by all; the bytes survive the death of any
          of them and are freed when the last mapping and descriptor are gone.
Layout    | header | region table | worker slots | regions, page-aligned | (ph_layout.h)
Writers   header and table: the creator, before the first fork. A slot: the process that
          claimed it; after its death the arbiter.
Readers   anyone, also over /proc/<pid>/fd/<n> with attach(fd, readonly=True).
Cost      one mmap; pages are taken from the system on first touch.
Failure   attach refuses bytes of another layout with ValueError. The memfd is sealed
          against resizing, so no process can make another one fault (SIGBUS).
"""
import fcntl
import os
import re

cimport cython
from cpython.exc cimport PyErr_SetFromErrno
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, strlen
from posix.mman cimport MAP_FAILED, MAP_SHARED, PROT_READ, PROT_WRITE, mmap, munmap
from posix.unistd cimport close

from pihub._core.atomics cimport (
    ph_cas_acqrel, ph_load_acq, ph_load_acq32, ph_load_rlx, ph_mono_ns, ph_store_rel32,
    ph_store_rlx,
)

_NAME = re.compile(r"[a-z][a-z0-9_.]{0,38}\Z")


@cython.final
cdef class Arena:
    """Arena.create(regions, n_workers) or Arena.attach(fd, readonly): see arena.pyi."""

    def __cinit__(self):
        self.base = NULL
        self.fd = -1

    def __dealloc__(self):
        if self.base is not NULL:
            munmap(self.base, self.length)
        if self.fd >= 0:
            close(self.fd)

    @staticmethod
    def create(regions, int n_workers, uint64_t page=0):
        """Map a new arena with these (name, bytes) regions and n_workers + 1 slots.

        `page`: what regions begin at multiples of; 0: this machine's. Raises ValueError for a
        bad or doubled name, a size below 1, too many of either, and a page that is none.
        """
        cdef uint64_t machine = os.sysconf("SC_PAGESIZE")
        cdef uint64_t off, size
        cdef Arena self = Arena.__new__(Arena)
        cdef ph_header *hdr
        cdef ph_region *row
        page = page or machine
        if page % machine or page & (page - 1) or page > PH_MAX_PAGE:
            raise ValueError(f"pages of {page} bytes on a machine with pages of {machine}")
        if not 0 <= n_workers < PH_MAX_SLOTS:
            raise ValueError(f"n_workers must be 0..{PH_MAX_SLOTS - 1}, not {n_workers}")
        table = [(str(name), int(length)) for name, length in regions]
        if len(table) > PH_MAX_REGIONS:
            raise ValueError(f"at most {PH_MAX_REGIONS} regions, not {len(table)}")
        if len({name for name, _ in table}) != len(table):
            raise ValueError("two regions have the same name")
        off = ph_round_up(PH_SLOTS_AT + (n_workers + 1) * sizeof(ph_slot), page)
        size = off
        for name, length in table:
            if _NAME.match(name) is None:
                raise ValueError(f"bad region name: {name!r}")
            if not 0 < length < 1 << 40:
                raise ValueError(f"bad length of region {name!r}: {length}")
            size += ph_round_up(length, page)
        fd = os.memfd_create("pihub", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(fd, size)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
            self.map_fd(fd, size, True)
        except BaseException:
            if self.fd < 0:
                os.close(fd)
            raise
        hdr = <ph_header *> self.base
        hdr.layout = PH_LAYOUT
        hdr.page_size = page
        hdr.size = size
        hdr.boot_id = int.from_bytes(os.urandom(8), "little") | 1
        secret = os.urandom(32)
        memcpy(hdr.secret, <const char *> secret, 32)
        hdr.creator_pid = os.getpid()
        hdr.n_slots = n_workers + 1
        hdr.n_regions = len(table)
        hdr.sizeof_header = sizeof(ph_header)
        hdr.sizeof_region = sizeof(ph_region)
        hdr.sizeof_slot = sizeof(ph_slot)
        hdr.sizeof_event = sizeof(ph_event)
        hdr.sizeof_head = sizeof(ph_head)
        hdr.created_ns = ph_mono_ns()
        row = <ph_region *> (self.base + PH_REGIONS_AT)
        for name, length in table:
            text = name.encode("ascii")
            memcpy(row.name, <const char *> text, len(text))
            row.off = off
            row.len = length
            off += ph_round_up(length, page)
            row += 1
        hdr.magic = PH_MAGIC
        self.check(size)
        return self

    @staticmethod
    def attach(int fd, bint readonly=False):
        """Map the arena behind `fd` (duplicated, so the caller may close its own).

        Raises ValueError when magic, layout version or struct sizes differ, OSError when the
        descriptor cannot be mapped so.
        """
        cdef Arena self = Arena.__new__(Arena)
        cdef uint64_t size = os.fstat(fd).st_size
        if size < PH_SLOTS_AT:
            raise ValueError(f"not a pihub arena: {size} bytes")
        own = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
        try:
            self.map_fd(own, size, not readonly)
        except BaseException:
            if self.fd < 0:
                os.close(own)
            raise
        self.check(size)
        return self

    # ---- what the other structures call --------------------------------------------

    cdef int map_fd(self, int fd, size_t size, bint writable) except -1:
        cdef int prot = PROT_READ | PROT_WRITE if writable else PROT_READ
        cdef void *p = mmap(NULL, size, prot, MAP_SHARED, fd, 0)
        if p == MAP_FAILED:
            PyErr_SetFromErrno(OSError)
        self.base = <uint8_t *> p
        self.length = size
        self.writable = writable
        self.fd = fd
        return 0

    cdef int check(self, size_t file_size) except -1:
        cdef ph_header *hdr = <ph_header *> self.base
        cdef ph_region *row = <ph_region *> (self.base + PH_REGIONS_AT)
        cdef uint64_t low
        cdef uint32_t i
        if hdr.magic != PH_MAGIC:
            raise ValueError("not a pihub arena: wrong magic")
        if hdr.layout != PH_LAYOUT:
            raise ValueError(f"arena layout {hdr.layout}, this build speaks {PH_LAYOUT}")
        sizes = (
            hdr.sizeof_header, hdr.sizeof_region, hdr.sizeof_slot,
            hdr.sizeof_event, hdr.sizeof_head,
        )
        ours = (
            sizeof(ph_header), sizeof(ph_region), sizeof(ph_slot),
            sizeof(ph_event), sizeof(ph_head),
        )
        if sizes != ours:
            raise ValueError(f"arena struct sizes {sizes}, this build has {ours}")
        if hdr.size != file_size:
            raise ValueError(f"arena says {hdr.size} bytes, its file has {file_size}")
        if not 1 <= hdr.n_slots <= <uint32_t> PH_MAX_SLOTS:
            raise ValueError(f"arena header is damaged: {hdr.n_slots} slots")
        if hdr.n_regions > <uint32_t> PH_MAX_REGIONS:
            raise ValueError(f"arena header is damaged: {hdr.n_regions} regions")
        machine = os.sysconf("SC_PAGESIZE")
        if hdr.page_size == 0 or hdr.page_size % machine or hdr.size % hdr.page_size:
            raise ValueError(
                f"an arena with pages of {hdr.page_size} bytes, this machine's have {machine}"
            )
        low = PH_SLOTS_AT + hdr.n_slots * sizeof(ph_slot)
        for i in range(hdr.n_regions):
            if (
                row[i].off < low or row[i].off > file_size or row[i].len > file_size - row[i].off
                or row[i].off % hdr.page_size
                or row[i].name[PH_NAME - 1] != 0
            ):
                raise ValueError("arena region table is damaged")
            low = row[i].off + row[i].len
        self.n_slots = hdr.n_slots
        self.n_regions = hdr.n_regions
        self.creator_pid = hdr.creator_pid
        self.page = hdr.page_size
        return 0

    cdef ph_region *find(self, str name) except NULL:
        cdef ph_region *row = <ph_region *> (self.base + PH_REGIONS_AT)
        cdef int i
        text = name.encode()
        cdef const char *want = text
        cdef size_t n = len(text)
        for i in range(self.n_regions):
            if strlen(row[i].name) == n and memcmp(row[i].name, want, n) == 0:
                return &row[i]
        raise KeyError(name)

    cdef uint8_t *at(self, str name, size_t need) except NULL:
        cdef ph_region *row = self.find(name)
        if row.len < need:
            raise ValueError(f"region {name!r} has {row.len} bytes, {need} are needed")
        return self.base + row.off

    cdef uint8_t *open(
        self, str name, uint32_t kind, size_t need,
        uint64_t s0, uint64_t s1, uint64_t s2, uint64_t s3,
    ) except NULL:
        cdef uint8_t *p = self.at(name, need if need > sizeof(ph_head) else sizeof(ph_head))
        cdef ph_head *head = <ph_head *> p
        cdef uint32_t found = ph_load_acq32(&head.kind)
        if found == 0:
            self.must_write()
            head.shape[0] = s0
            head.shape[1] = s1
            head.shape[2] = s2
            head.shape[3] = s3
            ph_store_rel32(&head.kind, kind)
        elif found != kind:
            raise ValueError(f"region {name!r} holds kind {found}, not {kind}")
        else:
            shape = (head.shape[0], head.shape[1], head.shape[2], head.shape[3])
            if shape != (s0, s1, s2, s3):
                raise ValueError(f"region {name!r} has shape {shape}, not {(s0, s1, s2, s3)}")
        return p + sizeof(ph_head)

    cdef int must_write(self) except -1:
        if not self.writable:
            raise PermissionError("the arena is attached read-only")
        return 0

    # ---- Python face ----------------------------------------------------------------

    @property
    def size(self):
        return self.length

    @property
    def secret(self):
        cdef ph_header *hdr = <ph_header *> self.base
        return (<const char *> hdr.secret)[:32]

    @property
    def boot_id(self):
        return (<ph_header *> self.base).boot_id

    def regions(self):
        """{name: (offset, length)}"""
        cdef ph_region *row = <ph_region *> (self.base + PH_REGIONS_AT)
        return {
            row[i].name.decode("ascii"): (row[i].off, row[i].len) for i in range(self.n_regions)
        }

    def region(self, str name not None):
        """(offset, length); KeyError if there is none."""
        cdef ph_region *row = self.find(name)
        return row.off, row.len

    def dump(self, size_t offset, size_t length):
        """A copy of `length` bytes at `offset`; ValueError outside of the arena."""
        if offset > self.length or length > self.length - offset:
            raise ValueError(f"{length} bytes at {offset} are not inside of {self.length}")
        return (<const char *> self.base)[offset:offset + length]

    cdef ph_slot *slot(self, int slot) except NULL:
        if not 0 <= slot < self.n_slots:
            raise IndexError(f"slot {slot} of {self.n_slots}")
        return (<ph_slot *> (self.base + PH_SLOTS_AT)) + slot

    def claim_slot(self, int slot, int pid):
        """Take a slot after fork; returns its new incarnation (u16, never 0).

        Whoever held it before is replaced: the arbiter hands out slots, so it is dead.
        """
        cdef ph_slot *row = self.slot(slot)
        cdef uint64_t old, inc
        self.must_write()
        if pid <= 0:
            raise ValueError(f"bad pid {pid}")
        old = ph_load_acq(&row.word)
        while True:
            inc = (old + 1) & 0xFFFF
            if inc == 0:
                inc = 1
            if ph_cas_acqrel(&row.word, &old, (<uint64_t> pid) << 32 | inc):
                break
        ph_store_rlx(&row.beat_ms, ph_mono_ns() // 1000000)
        return inc

    def release_slot(self, int slot, int pid):
        """Free the slot if `pid` still holds it. The incarnation stays, to count on."""
        cdef ph_slot *row = self.slot(slot)
        cdef uint64_t old
        self.must_write()
        old = ph_load_acq(&row.word)
        if pid <= 0 or old >> 32 != <uint64_t> pid:
            return False
        return ph_cas_acqrel(&row.word, &old, old & 0xFFFF) != 0

    def beat(self, int slot, uint64_t now_ms):
        """Sign of life: CLOCK_MONOTONIC in ms."""
        self.must_write()
        ph_store_rlx(&self.slot(slot).beat_ms, now_ms)

    def slot_info(self, int slot):
        """(pid or 0, incarnation, last heartbeat in CLOCK_MONOTONIC ms)"""
        cdef ph_slot *row = self.slot(slot)
        cdef uint64_t word = ph_load_acq(&row.word)
        return word >> 32, word & 0xFFFF, ph_load_rlx(&row.beat_ms)
