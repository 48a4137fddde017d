/* An append-only table of short strings, so that records carry numbers.
 *
 *   | ph_head 128 | row[capacity] x 128 |          row: | word u64 | length u8 | text[119] |
 *   word: hash (62 bits) << 2 | state: 0 empty, 1 claimed, 2 ready
 *
 * Rows fill from the first on. Everybody who wants a name walks the rows from the first, and
 * claims the first empty one by compare-and-swap, so two processes cannot both add a name.
 * The hash is keyed and 62 bits wide, so equal hash means equal text: whoever meets a claimed
 * row with its hash writes the very same bytes and marks it ready. A process killed between
 * claim and ready therefore blocks nobody. Nothing is ever removed or changed.
 */
#ifndef PH_NAMES_H
#define PH_NAMES_H

#include <string.h>

#include "ph_layout.h"
#include "ph_siphash.h"

#define PH_NAME_TEXT 119

typedef struct ph_name {
    ph_a64 word;
    uint8_t length;
    uint8_t text[PH_NAME_TEXT];
} ph_name;

_Static_assert(sizeof(ph_name) == PH_LINE, "ph_name is one line");

enum { PH_NAME_CLAIMED = 1, PH_NAME_READY = 2 };

/* Number of the name from 1; 0 when the table is full. Caller checks n <= PH_NAME_TEXT. */
static inline uint32_t ph_name_intern(
    ph_name *rows, uint32_t capacity, const uint8_t key[16], const uint8_t *text, uint8_t n
) {
    uint64_t h[2], hash;
    ph_siphash128(key, text, n, h);
    hash = h[0] << 2;
    for (uint32_t i = 0; i < capacity; i++) {
        uint64_t word = ph_load_acq(&rows[i].word);
        if (word == 0 && ph_cas_acqrel(&rows[i].word, &word, hash | PH_NAME_CLAIMED))
            word = hash | PH_NAME_CLAIMED;
        if ((word & ~3ull) != hash)
            continue;
        if ((word & 3) == PH_NAME_CLAIMED) {
            rows[i].length = n;
            memcpy(rows[i].text, text, n);
            ph_store_rel(&rows[i].word, hash | PH_NAME_READY);
        }
        return i + 1;
    }
    return 0;
}

#endif
