/* Learnt figures of models: rows of moving averages that all workers feed.
 *
 *   row    | key u64 | cell[15] x (mean as float32 bits << 32 | count u32) |   128 bytes
 *
 * A cell is one word, so that mean and count are never torn apart. The first samples have
 * equal weight, later ones a sixteenth: about the last thirty decide.
 *
 * Writers   any process, compare-and-swap. A row once claimed stays for the arena's life.
 */
#ifndef PH_SPEEDS_H
#define PH_SPEEDS_H

#include <string.h>

#include "ph_atomics.h"

enum { PH_SPEED_CELLS = 15, PH_SPEED_MEMORY = 16 };

typedef struct ph_speed {
    ph_a64 key;                       /* 0: free */
    ph_a64 cell[PH_SPEED_CELLS];
} ph_speed;

_Static_assert(sizeof(ph_speed) == 128, "ph_speed is one line");

static inline uint64_t ph_speed_word(float mean, uint32_t count) {
    uint32_t bits;
    memcpy(&bits, &mean, 4);
    return (uint64_t)bits << 32 | count;
}
static inline float ph_speed_mean(uint64_t word) {
    uint32_t bits = (uint32_t)(word >> 32);
    float mean;
    memcpy(&mean, &bits, 4);
    return mean;
}

/* The key's row, claimed if it is new; -1: the table is full. */
static inline long ph_speed_row(ph_speed *rows, uint64_t n, uint64_t key) {
    for (uint64_t i = 0; i < n; i++) {
        ph_speed *row = &rows[(key + i) % n];
        uint64_t found = ph_load_acq(&row->key);
        if (found == 0 && ph_cas_acqrel(&row->key, &found, key)) {
            return (long)(row - rows);
        }
        if (found == key) {
            return (long)(row - rows);
        }
    }
    return -1;
}

static inline void ph_speed_learn(ph_a64 *cell, float value) {
    uint64_t word = ph_load_rlx(cell), next;
    do {
        uint32_t count = (uint32_t)word, weight = count + 1;
        float mean = ph_speed_mean(word);
        if (weight > PH_SPEED_MEMORY) {
            weight = PH_SPEED_MEMORY;
        }
        next = ph_speed_word(mean + (value - mean) / (float)weight,
                             count + (count != UINT32_MAX));
    } while (!ph_cas_rlx(cell, &word, next));
}

#endif
