/* A rendered answer in the cache, as the edge sends it; and the small pure parts of the edge.
 *
 *    0  u32 magic        "PHW1"
 *    4  u16 status
 *    6  u8  n_headers    pairs of the block
 *    7  u8  flags        1: the answer was a stream; 2: its upstream is simulated
 *    8  u16 model        index into the shared names, as the next two
 *   10  u16 upstream
 *   12  u16 alias
 *   14  u16 ctype_len
 *   16  i64 saved_nano   nano-USD; -1: unknown
 *   24  u32 in_tok
 *   28  u32 out_tok
 *   32  u32 block_len    content type and pairs, together
 *   36  u32 body_len
 *   40  content type | pairs: u16 name length, u16 value length, name, value | body
 *
 * Little-endian. The block is at most PH_WIRE_BLOCK bytes, so that a reader copies it to
 * its stack before it looks at it (the log may be overwritten under it).
 */
#ifndef PH_WIRE_H
#define PH_WIRE_H

#include <stdint.h>
#include <string.h>

#define XXH_INLINE_ALL
#include "vendor/xxhash.h"

#include "ph_atomics.h"

#define PH_WIRE_MAGIC 0x31574850u
#define PH_WIRE_BLOCK 4096
#define PH_WIRE_STREAM 1
#define PH_WIRE_SIMULATED 2

typedef struct ph_wire {
    uint32_t magic;
    uint16_t status;
    uint8_t n_headers;
    uint8_t flags;
    uint16_t model, upstream, alias;
    uint16_t ctype_len;
    int64_t saved_nano;
    uint32_t in_tok, out_tok;
    uint32_t block_len, body_len;
} ph_wire;

_Static_assert(sizeof(ph_wire) == 40, "ph_wire is 40 bytes");

/* A copied head and block of a value of `len` bytes; 1 if all lengths agree. */
static inline int ph_wire_ok(const ph_wire *w, const uint8_t *block, uint64_t len) {
    if (w->magic != PH_WIRE_MAGIC || w->status < 200 || w->status > 599 || w->ctype_len > w->block_len
        || len != sizeof *w + (uint64_t)w->block_len + w->body_len) {
        return 0;
    }
    uint32_t at = w->ctype_len;
    for (unsigned i = 0; i < w->n_headers; i++) {
        uint16_t size[2];
        if (w->block_len - at < sizeof size) {
            return 0;
        }
        memcpy(size, block + at, sizeof size);
        at += sizeof size;
        if (w->block_len - at < (uint32_t)size[0] + size[1]) {
            return 0;
        }
        at += (uint32_t)size[0] + size[1];
    }
    return at == w->block_len;
}

static inline uint64_t ph_mix64(uint64_t x) { /* splitmix64's finaliser (Steele, Lea, Flood 2014) */
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* The seed of a route's keys: secret, epoch of the configuration and route. */
static inline uint64_t ph_wire_seed(const uint8_t *secret, uint64_t epoch, uint64_t route) {
    uint64_t k[2];
    memcpy(k, secret + 16, sizeof k);
    return ph_mix64(k[0] ^ ph_mix64(epoch)) ^ ph_mix64(k[1] + route);
}

static inline void ph_wire_hash(uint64_t seed, const uint8_t *body, size_t len, uint64_t *h1, uint64_t *h2) {
    XXH128_hash_t h = XXH3_128bits_withSeed(body, len, seed);
    *h1 = h.high64;
    *h2 = h.low64;
}

static inline uint64_t ph_wire_memo(const uint8_t *block, size_t len, uint64_t seed) {
    return XXH3_64bits_withSeed(block, len, seed);
}

/* Request ids: a bijection of (slot, count), so no two workers and no two requests of one
 * share an id; `count` starts at the wall clock, so neither do two lives of one slot. */
static inline uint64_t ph_request_id(uint64_t secret, uint64_t count, unsigned slot) {
    return ph_mix64((count << 8 | (slot & 0xFF)) ^ secret);
}

/* Eight hex digits at once: spread the nibbles to bytes, the highest first in memory; those
 * above 9 carry into bit 4 when 6 is added, and get 'a' - '0' - 10 = 0x27 more. */
static inline void ph_hex8(uint32_t x, char *out) {
    uint64_t v = (uint64_t)(x & 0xFFFF) << 32 | x >> 16;
    v = (v & UINT64_C(0x000000FF000000FF)) << 16 | (v & UINT64_C(0x0000FF000000FF00)) >> 8;
    v = (v & UINT64_C(0x000F000F000F000F)) << 8 | (v & UINT64_C(0x00F000F000F000F0)) >> 4;
    uint64_t letters = (v + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    v += UINT64_C(0x3030303030303030) + letters * 0x27;
    memcpy(out, &v, sizeof v);
}

static inline void ph_hex16(uint64_t x, char *out) {
    ph_hex8((uint32_t)(x >> 32), out);
    ph_hex8((uint32_t)x, out + 8);
}

/* A path must start with "/" and hold no control byte. */
static inline int ph_path_ok(const uint8_t *p, size_t n) {
    if (n == 0 || p[0] != '/') {
        return 0;
    }
    unsigned bad = 0;
    for (size_t i = 0; i < n; i++) {
        bad |= (unsigned)(p[i] < 0x20) | (unsigned)(p[i] == 0x7f);
    }
    return !bad;
}

/* The token of "Bearer x": its start and length, 0 if the scheme is another. */
static inline size_t ph_bearer(const uint8_t **p, size_t n) {
    const char *scheme = "bearer";
    const uint8_t *s = *p;
    if (n < 8) {
        return 0;
    }
    for (int i = 0; i < 6; i++) {
        if ((s[i] | 0x20) != (uint8_t)scheme[i]) {
            return 0;
        }
    }
    if (s[6] != ' ') {
        return 0;
    }
    s += 7;
    n -= 7;
    while (n && (*s == ' ' || *s == '\t')) {
        s++;
        n--;
    }
    while (n && (s[n - 1] == ' ' || s[n - 1] == '\t')) {
        n--;
    }
    *p = s;
    return n;
}

/* Content-Length: digits only, at most 18; -1 if not. */
static inline int64_t ph_length(const uint8_t *p, size_t n) {
    int64_t v = 0;
    if (n == 0 || n > 18) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return -1;
        }
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

#endif
