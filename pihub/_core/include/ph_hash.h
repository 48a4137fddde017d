/* The two hashes of the hub. XXH3 (vendor/xxhash.h) for bodies: fast, but not against an
 * adversary. SipHash-2-4-128 (ph_siphash.h) for tokens and names: a keyed function that
 * nobody without the key can collide.
 */
#ifndef PH_HASH_H
#define PH_HASH_H

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include "vendor/xxhash.h"

#include "ph_siphash.h"

static inline uint64_t ph_xxh3_64(const uint8_t *data, size_t n, uint64_t seed) {
    return XXH3_64bits_withSeed(data, n, seed);
}

static inline void ph_xxh3_128(const uint8_t *data, size_t n, uint64_t seed, uint64_t out[2]) {
    XXH128_hash_t h = XXH3_128bits_withSeed(data, n, seed);
    out[0] = h.high64;
    out[1] = h.low64;
}

#endif
