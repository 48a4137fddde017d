# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""What a cache of another size would answer: reuse distances of a bounded sample of keys.

Promise   with as many keys as are followed or fewer, `within` is exactly what an LRU cache of
          that many bytes would have answered, but for the width of a bucket (9 %); with more,
          an estimate from a sample of the keys.
Layout    include/ph_reuse.h; one process's own memory.
Writers   one thread.
Cost      a look-up of a followed key: about 0.3 us; of another one: one hash.
Failure   none: what has no room is not followed. RAM: `ram`, about 104 bytes a followed key.
"""
cimport cython
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

cdef enum:
    NODE = 40
    SPREAD = 4                  # positions a followed key


@cython.final
cdef class Reuse:
    """See reuse.pyi."""

    def __cinit__(self, uint32_t most):
        cdef size_t nodes, positions, chains
        cdef char *at
        cdef uint32_t i
        if not 1 <= most <= 1 << 20:
            raise ValueError(f"1 to {1 << 20} keys can be followed, not {most}")
        nodes = <size_t> most + 2
        positions = SPREAD * nodes
        chains = 1
        while chains < 2 * nodes:
            chains *= 2
        # The widest fields first, so that each part is aligned.
        self.ram = nodes * NODE + (positions + 1) * 8 + (positions + 1 + nodes + chains) * 4
        self.memory = calloc(self.ram, 1)
        if self.memory is NULL:
            raise MemoryError
        memset(&self.r, 0, sizeof(self.r))
        at = <char *> self.memory
        self.r.node = <ph_reuse_node *> at
        at += nodes * NODE
        self.r.tree = <uint64_t *> at
        at += (positions + 1) * 8
        self.r.at = <uint32_t *> at
        at += (positions + 1) * 4
        self.r.heap = <uint32_t *> at
        at += nodes * 4
        self.r.chain = <uint32_t *> at
        self.r.most = most
        self.r.positions = <uint32_t> positions
        self.r.chains = <uint32_t> chains
        self.r.threshold = 0xFFFFFFFFFFFFFFFF
        for i in range(1, most + 2):
            self.r.node[i].next = i + 1 if i <= most else 0
        self.r.free = 1

    def __dealloc__(self):
        free(self.memory)

    def see(
        self, uint64_t key, uint32_t tenant, uint32_t now, uint32_t size, uint32_t ttl, made=None
    ):
        cdef ph_reuse_look look
        look.key = key
        look.tenant = tenant
        look.now = now
        look.size = size
        look.ttl = ttl
        look.nano = 0
        look.made_us = 0
        if made is not None:
            look.nano, look.made_us = made
        return ph_reuse_see(&self.r, &look, made is not None)

    def fade(self, double part):
        if not 0 <= part <= 1:
            raise ValueError(f"a part is from 0 to 1, not {part}")
        ph_reuse_fade(&self.r, part)

    def within(self, double size):
        cdef ph_reuse_sum sum
        if not size >= 0:
            raise ValueError(f"a cache cannot have {size} bytes")
        sum = ph_reuse_within(&self.r, size)
        return sum.count, sum.nano, sum.us

    @property
    def looks(self):
        return self.r.all

    @property
    def rate(self):
        return ph_reuse_rate(&self.r)

    def __len__(self):
        return self.r.n
