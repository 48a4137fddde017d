/* A rendered answer in the cache, as the edge sends it; and the small pure parts of the edge.
 *
 *    0  u32 magic        "PHW2"
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
 *   40  u64 look         the canonical key's first half, by which hits are counted
 *   48  content type | pairs: u16 name length, u16 value length, name, value | body
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
#include "ph_cache.h"
#include "ph_direct.h"

#define PH_WIRE_MAGIC 0x32574850u
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
    uint64_t look;
} ph_wire;

/* What lies under another spelling's key: where the answer is. */
#define PH_ALIAS_MAGIC 0x31414850u /* "PHA1" */

typedef struct ph_alias {
    uint32_t magic;
    uint32_t zero;
    uint64_t h1, h2;
} ph_alias;

_Static_assert(sizeof(ph_wire) == 48, "ph_wire is 48 bytes");

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

/* Head and block of the entry of a key, or of the one that its alias names, copied: 1, or 0 if there is none that can be sent.
 * The body is copied by the caller, who then asks ph_cache_still(hit). */
static inline int ph_wire_find(
    const ph_cache *c, uint64_t h1, uint64_t h2, uint32_t tenant, uint32_t now, ph_cache_hit *hit,
    ph_wire *w, uint8_t *block
) {
    int aliases = 1; /* an alias of an alias is never made */
    for (int attempt = 0; attempt < 3; attempt++) {
        if (!ph_cache_find(c, h1, h2, tenant, now, 0, hit) || hit->raw) {
            return 0;
        }
        if (hit->len == sizeof(ph_alias) && aliases) {
            ph_alias a;
            memcpy(&a, hit->value, sizeof a);
            if (ph_cache_still(hit)) {
                if (a.magic != PH_ALIAS_MAGIC) {
                    return 0;
                }
                h1 = a.h1;
                h2 = a.h2;
                aliases--;
                attempt = -1;
            }
            continue;
        }
        if (hit->len < sizeof *w) {
            return 0;
        }
        memcpy(w, hit->value, sizeof *w);
        if (!ph_cache_still(hit)) {
            continue;
        }
        if (w->magic != PH_WIRE_MAGIC || w->block_len > PH_WIRE_BLOCK
            || hit->len != sizeof *w + (uint64_t)w->block_len + w->body_len) {
            return 0;
        }
        memcpy(block, hit->value + sizeof *w, w->block_len);
        return 1;
    }
    return 0;
}

static inline const uint8_t *ph_wire_body(const ph_cache_hit *hit, const ph_wire *w) {
    return hit->value + sizeof *w + w->block_len;
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

/* Whether the shorter of both begins the other, in any case; `wanted` is in lower case. */
static inline int ph_name_is(ph_direct_text name, const char *wanted) {
    for (size_t i = 0; i < name.len && wanted[i] != '\0'; i++) {
        char c = name.at[i];
        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != wanted[i]) {
            return 0;
        }
    }
    return 1;
}

/* The token of a direct ask; 0 bytes if it has none, or a field that may change the answer
 * (the general way knows better): each of our own, and those that the edge asks for. */
static inline size_t ph_direct_token(const ph_direct_ask *ask, const uint8_t **token) {
    ph_direct_text bearer = {NULL, 0}, key = {NULL, 0};
    size_t len = 0;
    for (size_t i = 0; i < ask->n_fields; i++) {
        const ph_direct_field *f = &ask->field[i];
        if (f->name.len == 9 && ph_name_is(f->name, "x-api-key")) {
            if (key.at != NULL)
                return 0;
            key = f->value;
        } else if (f->name.len == 13 && ph_name_is(f->name, "authorization")) {
            if (bearer.at != NULL)
                return 0;
            bearer = f->value;
        } else if ((f->name.len > 8 && ph_name_is(f->name, "x-pihub-"))
            || (f->name.len == 14 && ph_name_is(f->name, "anthropic-beta"))
            || (f->name.len == 15 && ph_name_is(f->name, "idempotency-key"))) {
            return 0;
        }
    }
    if (bearer.at != NULL) {
        *token = (const uint8_t *)bearer.at;
        len = ph_bearer(token, bearer.len);
    }
    if (len == 0) {
        *token = (const uint8_t *)key.at;
        len = key.len;
    }
    return len;
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
