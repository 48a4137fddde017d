/* Reuse distances of a stream of cache keys, in bytes, of a bounded sample of them.
 *
 * The reuse distance of a look-up is the size of all that was asked for since the same key was
 * asked for before; an LRU cache of C bytes answers just those whose distance is at most C
 * (Mattson, Gecsei, Slutz, Traiger, 1970). So one histogram of distances gives the hit ratio
 * of every size at once, and if each look-up carries what a hit saves, the money and the time.
 *
 * Which keys are followed: those whose hash is below a threshold, at most `most` of them; if
 * there are more, the one with the largest hash goes and the threshold becomes its hash
 * (SHARDS with a fixed size: Waldspurger, Park, Garthwaite, Ahmad, FAST 2015). With a part R
 * of the keys a distance counts 1/R-fold, and so does each look-up. What was looked up beyond
 * what the rate makes expect is taken off the shortest distances (their SHARDS-adj).
 *
 *   node   key, size, what making it cost, when it was made; chained by hash, placed in a heap
 *   at     position in time -> node; a Fenwick tree over the positions sums their bytes
 *
 * A look-up costs O(log positions); every `positions` look-ups they are numbered anew, O(most).
 * One process's own memory, one thread; nothing is shared.
 * RAM: 40 bytes a node, 12 a position (4 positions a node), 4 a heap place, 4 a chain head (2 to 4 a node):
 * about 104 bytes a followed key, and 6 KiB of histogram.
 */
#ifndef PH_REUSE_H
#define PH_REUSE_H

#include <stdint.h>
#include <string.h>

#define PH_REUSE_SUB 8           /* buckets an octave of distance: 9 % wide */
#define PH_REUSE_LEAST 10        /* the first bucket ends at 1 KiB */
#define PH_REUSE_OCTAVES 34      /* the last begins at 8 TiB */
#define PH_REUSE_BUCKETS (PH_REUSE_SUB * PH_REUSE_OCTAVES + 1)

typedef struct ph_reuse_node {
    uint64_t id;
    uint32_t size;
    uint32_t made_us;            /* what making it took */
    int64_t nano;                /* what making it cost */
    uint32_t until;              /* second at which it is no longer good; 0: never */
    uint32_t next;               /* in its chain; 0: none */
    uint32_t pos;                /* in time, from 1 */
    uint32_t heap;               /* its place in the heap */
} ph_reuse_node;

_Static_assert(sizeof(ph_reuse_node) == 40, "ph_reuse_node is 40 bytes");

typedef struct ph_reuse_sum {
    double count, nano, us;
} ph_reuse_sum;

typedef struct ph_reuse {
    ph_reuse_node *node;         /* 1 .. most + 1; the last is a newcomer's before one goes */
    uint32_t *heap;              /* node numbers, the largest id first */
    uint32_t *chain;             /* by hash: node number */
    uint32_t *at;                /* by position: node number, 0: none */
    uint64_t *tree;              /* Fenwick tree of the bytes at the positions */
    uint32_t most, n, chains, positions, last;
    uint32_t free;               /* head of the list of free nodes, through `next` */
    uint64_t threshold;          /* ids below it are followed */
    uint64_t bytes;              /* of all nodes */
    double all, followed;        /* look-ups; and those of followed keys, each 1 / R */
    ph_reuse_sum cold;           /* never asked before, or no longer good: no size would do */
    ph_reuse_sum bucket[PH_REUSE_BUCKETS];
} ph_reuse;

static inline double ph_reuse_rate(const ph_reuse *r) {
    return r->threshold == UINT64_MAX ? 1.0 : (double)r->threshold / 18446744073709551616.0;
}

/* splitmix64's finaliser: sampling must not follow the bits that keys are placed by. */
static inline uint64_t ph_reuse_id(uint64_t key, uint32_t tenant) {
    uint64_t x = key + tenant * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* ---- the tree ----------------------------------------------------------------------- */

static void ph_reuse_move(ph_reuse *r, uint32_t pos, uint64_t delta) {
    for (; pos <= r->positions; pos += pos & (0 - pos)) {
        r->tree[pos] += delta;
    }
}

/* Bytes at positions up to `pos`. */
static uint64_t ph_reuse_upto(const ph_reuse *r, uint32_t pos) {
    uint64_t sum = 0;
    for (; pos; pos -= pos & (0 - pos)) {
        sum += r->tree[pos];
    }
    return sum;
}

static void ph_reuse_leave(ph_reuse *r, ph_reuse_node *n) {
    ph_reuse_move(r, n->pos, 0 - (uint64_t)n->size);
    r->at[n->pos] = 0;
    r->bytes -= n->size;
}

/* Number the positions anew, in their order. */
static void ph_reuse_pack(ph_reuse *r) {
    uint32_t to = 0;
    memset(r->tree, 0, (r->positions + 1) * sizeof *r->tree);
    for (uint32_t from = 1; from <= r->positions; from++) {
        uint32_t i = r->at[from];
        r->at[from] = 0;
        if (i) {
            r->at[++to] = i;
            r->node[i].pos = to;
            ph_reuse_move(r, to, r->node[i].size);
        }
    }
    r->last = to;
}

static void ph_reuse_enter(ph_reuse *r, uint32_t i, uint32_t size) {
    if (r->last == r->positions) {
        ph_reuse_pack(r);
    }
    r->node[i].size = size;
    r->node[i].pos = ++r->last;
    r->at[r->last] = i;
    r->bytes += size;
    ph_reuse_move(r, r->last, size);
}

/* ---- the heap ----------------------------------------------------------------------- */

static void ph_reuse_set(ph_reuse *r, uint32_t place, uint32_t i) {
    r->heap[place] = i;
    r->node[i].heap = place;
}

static void ph_reuse_up(ph_reuse *r, uint32_t place) {
    uint32_t i = r->heap[place];
    for (; place && r->node[r->heap[(place - 1) / 2]].id < r->node[i].id; place = (place - 1) / 2) {
        ph_reuse_set(r, place, r->heap[(place - 1) / 2]);
    }
    ph_reuse_set(r, place, i);
}

static void ph_reuse_down(ph_reuse *r, uint32_t place) {
    uint32_t i = r->heap[place];
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= r->n) {
            break;
        }
        if (child + 1 < r->n && r->node[r->heap[child + 1]].id > r->node[r->heap[child]].id) {
            child++;
        }
        if (r->node[r->heap[child]].id <= r->node[i].id) {
            break;
        }
        ph_reuse_set(r, place, r->heap[child]);
        place = child;
    }
    ph_reuse_set(r, place, i);
}

/* ---- keys --------------------------------------------------------------------------- */

static uint32_t *ph_reuse_chain(const ph_reuse *r, uint64_t id) { return &r->chain[id & (r->chains - 1)]; }

static uint32_t ph_reuse_find(const ph_reuse *r, uint64_t id) {
    uint32_t i = *ph_reuse_chain(r, id);
    while (i && r->node[i].id != id) {
        i = r->node[i].next;
    }
    return i;
}

/* The key with the largest id is followed no longer, nor is any above it. */
static void ph_reuse_drop(ph_reuse *r) {
    uint32_t i = r->heap[0];
    ph_reuse_node *n = &r->node[i];
    r->threshold = n->id;
    uint32_t *link = ph_reuse_chain(r, n->id);
    while (*link != i) {
        link = &r->node[*link].next;
    }
    *link = n->next;
    ph_reuse_leave(r, n);
    r->n--;
    if (r->n) {
        ph_reuse_set(r, 0, r->heap[r->n]);
        ph_reuse_down(r, 0);
    }
    n->next = r->free;
    r->free = i;
}

static unsigned ph_reuse_bucket(double bytes) {
    uint64_t v = bytes < 9e18 ? (uint64_t)bytes : UINT64_C(9000000000000000000);
    if (v < UINT64_C(1) << PH_REUSE_LEAST) {
        return 0;
    }
    unsigned octave = 63 - (unsigned)__builtin_clzll(v);
    unsigned sub = (unsigned)(v >> (octave - 3)) & (PH_REUSE_SUB - 1);
    unsigned i = 1 + (octave - PH_REUSE_LEAST) * PH_REUSE_SUB + sub;
    return i < PH_REUSE_BUCKETS ? i : PH_REUSE_BUCKETS - 1;
}

/* Where bucket i ends, in bytes. */
static inline double ph_reuse_end(unsigned i) {
    unsigned octave = i / PH_REUSE_SUB, sub = i % PH_REUSE_SUB;
    return (double)(UINT64_C(1) << (PH_REUSE_LEAST + octave)) * (1.0 + (double)sub / PH_REUSE_SUB);
}

typedef struct ph_reuse_look {
    uint64_t key;
    uint32_t tenant;
    uint32_t now;                /* seconds of any one clock */
    uint32_t size;               /* bytes in the cache; a guess, unless it was made just now */
    uint32_t ttl;                /* seconds from now on; 0: as it was before */
    uint32_t made_us;            /* what making it took and cost; read only if it was made */
    int64_t nano;
} ph_reuse_look;

/* One look-up. Returns the microseconds that the key's answer took to make, if it is known. */
static uint32_t ph_reuse_see(ph_reuse *r, const ph_reuse_look *look, int made) {
    uint64_t id = ph_reuse_id(look->key, look->tenant);
    r->all += 1;
    if (id >= r->threshold) {
        return 0;
    }
    double times = 1 / ph_reuse_rate(r);
    uint32_t i = ph_reuse_find(r, id), took = 0;
    r->followed += times;
    if (i) {
        ph_reuse_node *n = &r->node[i];
        double distance = (double)(r->bytes - ph_reuse_upto(r, n->pos) + n->size) * times;
        int good = n->until == 0 || look->now < n->until;
        ph_reuse_sum *sum = good && n->size ? &r->bucket[ph_reuse_bucket(distance)] : &r->cold;
        sum->count += times;
        sum->nano += times * (double)n->nano;
        sum->us += times * n->made_us;
        took = n->made_us;
        ph_reuse_leave(r, n);
    } else {
        i = r->free;
        r->free = r->node[i].next;
        ph_reuse_node *n = &r->node[i];
        memset(n, 0, sizeof *n);
        n->id = id;
        n->next = *ph_reuse_chain(r, id);
        *ph_reuse_chain(r, id) = i;
        ph_reuse_set(r, r->n, i);
        ph_reuse_up(r, r->n++);
        r->cold.count += times;
    }
    ph_reuse_node *n = &r->node[i];
    if (made) {
        n->nano = look->nano;
        n->made_us = look->made_us;
    }
    if (look->ttl) {
        n->until = look->now + look->ttl;
    }
    ph_reuse_enter(r, i, made || n->size == 0 ? look->size : n->size);
    if (r->n > r->most) {
        ph_reuse_drop(r);
    }
    return took;
}

/* Everything counted so far counts `part` from now on: the past fades. */
static void ph_reuse_fade(ph_reuse *r, double part) {
    r->all *= part;
    r->followed *= part;
    ph_reuse_sum *sums[2] = {&r->cold, r->bucket};
    for (unsigned k = 0; k < 2; k++) {
        for (unsigned i = 0; i < (k ? PH_REUSE_BUCKETS : 1); i++) {
            sums[k][i].count *= part;
            sums[k][i].nano *= part;
            sums[k][i].us *= part;
        }
    }
}

/* What an LRU cache of `bytes` would have answered of all look-ups so far; within a bucket
 * the distances count as spread evenly. */
static ph_reuse_sum ph_reuse_within(const ph_reuse *r, double bytes) {
    ph_reuse_sum sum = {0, 0, 0};
    double from = 0;
    for (unsigned i = 0; i < PH_REUSE_BUCKETS && from < bytes; i++) {
        double to = ph_reuse_end(i), part = bytes >= to ? 1 : (bytes - from) / (to - from);
        sum.count += part * r->bucket[i].count;
        sum.nano += part * r->bucket[i].nano;
        sum.us += part * r->bucket[i].us;
        from = to;
    }
    sum.count += r->all - r->followed; /* SHARDS-adj: the sample had too many or too few */
    sum.count = sum.count < 0 ? 0 : sum.count > r->all ? r->all : sum.count;
    return sum;
}

#endif
