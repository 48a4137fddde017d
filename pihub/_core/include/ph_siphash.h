/* SipHash-2-4 with 128-bit output (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
 * 2012; the 128-bit form as in the authors' reference code). A pseudo-random function: whoever
 * does not know the key can neither predict nor collide its output.
 *
 * out[0] is the first, out[1] the second 8 bytes of the reference output, little-endian.
 */
#ifndef PH_SIPHASH_H
#define PH_SIPHASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PH_ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define PH_SIPROUND                                                                   \
    do {                                                                              \
        v0 += v1; v1 = PH_ROTL(v1, 13); v1 ^= v0; v0 = PH_ROTL(v0, 32);               \
        v2 += v3; v3 = PH_ROTL(v3, 16); v3 ^= v2;                                     \
        v0 += v3; v3 = PH_ROTL(v3, 21); v3 ^= v0;                                     \
        v2 += v1; v1 = PH_ROTL(v1, 17); v1 ^= v2; v2 = PH_ROTL(v2, 32);               \
    } while (0)

static inline uint64_t ph_le64(const uint8_t *p) {
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

static inline void ph_siphash128(
    const uint8_t key[16], const uint8_t *data, size_t n, uint64_t out[2]
) {
    uint64_t k0 = ph_le64(key), k1 = ph_le64(key + 8);
    uint64_t v0 = 0x736f6d6570736575ull ^ k0, v1 = 0x646f72616e646f6dull ^ k1 ^ 0xee;
    uint64_t v2 = 0x6c7967656e657261ull ^ k0, v3 = 0x7465646279746573ull ^ k1;
    uint64_t last = (uint64_t)n << 56, m;
    size_t i, whole = n / 8 * 8;
    for (i = 0; i < whole; i += 8) {
        m = ph_le64(data + i);
        v3 ^= m;
        PH_SIPROUND;
        PH_SIPROUND;
        v0 ^= m;
    }
    for (i = whole; i < n; i++)
        last |= (uint64_t)data[i] << (8 * (i - whole));
    v3 ^= last;
    PH_SIPROUND;
    PH_SIPROUND;
    v0 ^= last;
    v2 ^= 0xee;
    for (i = 0; i < 4; i++)
        PH_SIPROUND;
    out[0] = v0 ^ v1 ^ v2 ^ v3;
    v1 ^= 0xdd;
    for (i = 0; i < 4; i++)
        PH_SIPROUND;
    out[1] = v0 ^ v1 ^ v2 ^ v3;
}

#endif
