# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""The table of live streams: who is being answered right now, how fast, and how to end it.

Promise   a row that is read is one stream's, never two mixed; a cancel never ends another
          stream than the one that was meant.
Layout    | head | slot: head 128, rows x 128 | (ph_streams.h)
Writers   a slot's rows: its process. `cancel`: anyone. A dead process's rows: whoever
          takes them by orphans().
Cost      tick: about six loads and five stores on a line of one's own.
Failure   a process that dies leaves its rows live, to be billed and freed by orphans().
"""
cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from pihub._core.arena cimport Arena, ph_head
from pihub._core.atomics cimport (
    ph_cas_acqrel, ph_fence_rel, ph_load_acq, ph_load_rlx, ph_store_rel, ph_store_rlx,
    ph_store_sc, ph_wall_ns,
)

cdef enum:
    GAP = 40                    # bits of the longest gap


cdef tuple row_of(uint64_t handle, uint64_t word, const ph_stream *r):
    cdef uint64_t who = ph_load_rlx(&r.key_tenant)
    cdef uint64_t names = ph_load_rlx(&r.names)
    cdef uint64_t stalls = ph_load_rlx(&r.stalls)
    return (
        handle, word >> 1 & (<uint64_t> 1 << 47) - 1, PH_STREAM_INCARNATION(word),
        ph_load_rlx(&r.rid), ph_load_rlx(&r.wall_ns), ph_load_rlx(&r.began_ns),
        ph_load_rlx(&r.first_ns), ph_load_rlx(&r.last_ns), ph_load_rlx(&r.bytes),
        ph_load_rlx(&r.tokens), stalls >> GAP, stalls & (<uint64_t> 1 << GAP) - 1,
        who >> 32, who >> 16 & 0xFFFF, who >> 8 & 0xFF, who & 0xFF,
        names >> 48, names >> 32 & 0xFFFF, names >> 16 & 0xFFFF,
        ph_load_rlx(&r.input), ph_load_rlx(&r.cancel) == word,
    )


@cython.final
cdef class Streams:
    """Streams(arena, region, slots, per_slot); RAM: 128 bytes a row, taken when used."""

    def __cinit__(
        self, Arena arena not None, str region not None, uint32_t slots, uint32_t per_slot
    ):
        need = Streams.size_for(slots, per_slot)
        self.arena = arena
        self.s.base = arena.open(region, PH_KIND_STREAMS, need, slots, per_slot, 0, 0)
        self.s.per_slot = per_slot
        self.s.n_slots = slots

    @staticmethod
    def size_for(uint32_t slots, uint32_t per_slot):
        """Bytes of a region. ValueError for no rows or more than 2**16 a slot."""
        if not 1 <= slots <= 65 or not 1 <= per_slot <= 1 << 16:
            raise ValueError(f"1 to 65 slots of 1 to 65536 rows, not {slots}, {per_slot}")
        return sizeof(ph_head) + <uint64_t> slots * (per_slot + 1) * sizeof(ph_stream)

    cdef ph_streams_slot *slot(self, uint32_t slot) except NULL:
        if slot >= self.s.n_slots:
            raise IndexError(f"slot {slot} of {self.s.n_slots}")
        return ph_streams_slot_at(&self.s, slot)

    cdef ph_stream *row(self, uint64_t handle) except NULL:
        if handle >= <uint64_t> self.s.n_slots * self.s.per_slot:
            raise IndexError(f"no such stream: {handle}")
        return ph_stream_at(
            &self.s, <uint32_t> (handle // self.s.per_slot), <uint32_t> (handle % self.s.per_slot)
        )

    def begin(self, uint32_t slot, uint32_t incarnation):
        cdef ph_streams_slot *head = self.slot(slot)
        self.arena.must_write()
        if not 0 < incarnation <= 0xFFFF:
            raise ValueError(f"an incarnation is 1 to 65535, not {incarnation}")
        ph_store_sc(&head.incarnation, incarnation)

    def open(
        self, uint32_t slot, uint64_t rid, uint64_t now_ns, uint32_t key, uint32_t tenant,
        uint32_t route, uint32_t flags, uint32_t model, uint32_t upstream, uint32_t alias,
        uint64_t input_tokens,
    ):
        cdef ph_streams_slot *head = self.slot(slot)
        cdef ph_stream *r
        cdef uint64_t word
        cdef int64_t i
        self.arena.must_write()
        i = ph_stream_free(&self.s, slot, self.hint[slot])
        if i < 0:
            return -1
        self.hint[slot] = <uint32_t> i + 1 if i + 1 < self.s.per_slot else 0
        r = ph_stream_at(&self.s, slot, <uint32_t> i)
        word = ph_load_rlx(&r.state)
        ph_fence_rel()          # the closing of the stream before is seen before what follows
        ph_store_rlx(&r.cancel, 0)
        ph_store_rlx(&r.rid, rid)
        ph_store_rlx(&r.began_ns, now_ns)
        ph_store_rlx(&r.first_ns, 0)
        ph_store_rlx(&r.last_ns, now_ns)
        ph_store_rlx(&r.bytes, 0)
        ph_store_rlx(&r.tokens, 0)
        ph_store_rlx(&r.stalls, 0)
        ph_store_rlx(
            &r.key_tenant,
            <uint64_t> key << 32 | (tenant & 0xFFFF) << 16 | (route & 0xFF) << 8 | flags & 0xFF,
        )
        ph_store_rlx(
            &r.names,
            <uint64_t> (model & 0xFFFF) << 48 | <uint64_t> (upstream & 0xFFFF) << 32
            | (alias & 0xFFFF) << 16,
        )
        ph_store_rlx(&r.input, input_tokens)
        ph_store_rlx(&r.wall_ns, ph_wall_ns())
        ph_store_rel(&r.state, ph_stream_next(word, ph_load_rlx(&head.incarnation), 1))
        return <uint64_t> slot * self.s.per_slot + <uint64_t> i

    def tick(
        self, uint64_t handle, uint64_t tokens, uint64_t nbytes, uint64_t now_ns,
        uint64_t stall_ns,
    ):
        cdef ph_stream *r = self.row(handle)
        self.arena.must_write()
        return ph_stream_tick(r, tokens, nbytes, now_ns, stall_ns) != 0

    def cancelled(self, uint64_t handle):
        cdef ph_stream *r = self.row(handle)
        cdef uint64_t cancel = ph_load_acq(&r.cancel)
        return cancel != 0 and cancel == ph_load_acq(&r.state)

    def close(self, uint64_t handle):
        cdef ph_stream *r = self.row(handle)
        self.arena.must_write()
        if PH_STREAM_LIVE(ph_load_rlx(&r.state)):
            ph_stream_close(r)

    def cancel(self, uint64_t handle, uint64_t generation):
        cdef ph_stream *r = self.row(handle)
        cdef uint64_t word = ph_load_acq(&r.state)
        self.arena.must_write()
        if not PH_STREAM_LIVE(word) or (word >> 1 & (<uint64_t> 1 << 47) - 1) != generation:
            return False
        ph_store_sc(&r.cancel, word)
        return ph_load_acq(&r.state) == word

    def read(self, uint64_t handle):
        cdef ph_stream copy
        cdef uint64_t word
        if not ph_stream_copy(self.row(handle), &copy, &word):
            return None
        return row_of(handle, word, &copy)

    def rows(self):
        cdef uint64_t handle
        found = []
        for handle in range(<uint64_t> self.s.n_slots * self.s.per_slot):
            if PH_STREAM_LIVE(ph_load_rlx(&self.row(handle).state)):
                one = self.read(handle)
                if one is not None:
                    found.append(one)
        return found

    def held(self, uint32_t key):
        return ph_streams_held(&self.s, key)

    def orphans(self, uint32_t slot, uint32_t incarnation):
        cdef ph_stream copy
        cdef ph_stream *r
        cdef uint64_t word
        cdef uint32_t i
        self.slot(slot)
        self.arena.must_write()
        taken = []
        for i in range(self.s.per_slot):
            r = ph_stream_at(&self.s, slot, i)
            if not ph_stream_copy(r, &copy, &word) or PH_STREAM_INCARNATION(word) != incarnation:
                continue
            if ph_cas_acqrel(&r.state, &word, ph_stream_next(word, incarnation, 0)):
                word = ph_load_rlx(&copy.state)
                taken.append(row_of(<uint64_t> slot * self.s.per_slot + i, word, &copy))
        return taken

    def untracked(self):
        cdef uint32_t slot
        cdef uint64_t n = 0
        for slot in range(self.s.n_slots):
            n += ph_load_rlx(&ph_streams_slot_at(&self.s, slot).untracked)
        return n
