/* A blob that one writer replaces whole: two buffers, the generation says which is in force.
 *
 *   | ph_head 128 | generation u64, length[2] u64, pad to 128 | buffer 0 | buffer 1 |
 *
 * Generation g lies in buffer g & 1. The writer fills the other one, then publishes by one
 * release store: killed at any point, it leaves the old blob. A reader copies, fences, and
 * keeps the copy if the generation has not moved: g + 2 would be written over it, and only
 * after g + 1 was published.
 */
#ifndef PH_BOARD_H
#define PH_BOARD_H

#include <string.h>

#include "ph_layout.h"

typedef struct ph_board {
    ph_a64 generation;         /* 0: nothing published */
    ph_a64 length[2];
    uint8_t pad[PH_LINE - 24];
} ph_board;

_Static_assert(sizeof(ph_board) == PH_LINE, "ph_board is one line");

static inline uint8_t *ph_board_buffer(const ph_board *b, uint64_t capacity, uint64_t g) {
    return (uint8_t *)(b + 1) + (g & 1) * capacity;
}

/* Caller checks n <= capacity and is the only writer. Returns the new generation. */
static inline uint64_t ph_board_publish(
    ph_board *b, uint64_t capacity, const uint8_t *data, uint64_t n
) {
    uint64_t g = ph_load_rlx(&b->generation) + 1;
    ph_fence_rel();            /* generation g - 1 is seen before the buffer of g - 2 changes */
    memcpy(ph_board_buffer(b, capacity, g), data, n);
    ph_store_rlx(&b->length[g & 1], n);
    ph_store_rel(&b->generation, g);
    return g;
}

/* Length of generation g, or 0 if damaged; read before the copy. */
static inline uint64_t ph_board_length(const ph_board *b, uint64_t capacity, uint64_t g) {
    uint64_t n = ph_load_rlx(&b->length[g & 1]);
    return n <= capacity ? n : 0;
}

/* After the copy: 1 if it is whole. */
static inline int ph_board_whole(const ph_board *b, uint64_t g) {
    ph_fence_acq();
    return ph_load_rlx(&b->generation) == g;
}

#endif
