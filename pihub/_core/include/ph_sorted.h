/* A JSON object with its top-level members in the order of their names; the rest untouched.
 *
 * Two texts that become the same have the same members, each byte for byte: values are neither
 * parsed nor respelled (1, 1.0 and 1e0 stay three), and what lies below the top keeps its
 * order, for that of a schema's properties or of messages steers a model. So whoever opts in
 * says only that the order of the members at the top means nothing.
 *
 * Left alone (0 is returned): a name that stands twice (which of them counts is the reader's
 * choice), a name with an escape or beyond ASCII (it may be another spelling of one that is
 * there, too), more than PH_SORTED_MOST members, what is no object, or no valid JSON.
 */
#ifndef PH_SORTED_H
#define PH_SORTED_H

#include <string.h>

#include "ph_json.h"

#define PH_SORTED_MOST 64

typedef struct ph_member {
    int64_t key, key_len, end; /* of the text: the name between its quotes; the value's end */
} ph_member;

static inline int ph_member_order(const uint8_t *p, const ph_member *a, const ph_member *b) {
    int64_t least = a->key_len < b->key_len ? a->key_len : b->key_len;
    int found = memcmp(p + a->key, p + b->key, (size_t)least);
    return found ? found : a->key_len < b->key_len ? -1 : a->key_len > b->key_len;
}

/* `p`: n bytes without whitespace between tokens (ph_minify.h). `out` has room for n bytes.
 * Returns n, or 0. `model` and `model_len`: the value of the member "model" if that is a
 * string without an escape, between its quotes; else -1. */
static size_t ph_sorted(const uint8_t *p, size_t n, uint8_t *out, int64_t *model, int64_t *model_len) {
    ph_json_members m = {.p = p, .n = (int64_t)n};
    ph_member of[PH_SORTED_MOST];
    unsigned count = 0, at;
    uint8_t *to = out;
    int found, plain;
    *model = *model_len = -1;
    while ((found = ph_json_next(&m)) == 1) {
        ph_member one = {m.key, m.key_len, ph_json_value(p, m.value, m.n, 1)};
        if (one.end < 0 || count == PH_SORTED_MOST) {
            return 0;
        }
        plain = 1;
        if (m.key_len == 5 && memcmp(p + m.key, "model", 5) == 0 && p[m.value] == '"'
                && ph_json_string(p, m.value, m.n, &plain) == one.end && plain) {
            *model = m.value + 1;
            *model_len = one.end - m.value - 2;
        }
        for (at = count; at > 0; at--) { /* there are few, mostly in order */
            int order = ph_member_order(p, &one, &of[at - 1]);
            if (order == 0) {
                return 0;
            }
            if (order > 0) {
                break;
            }
            of[at] = of[at - 1];
        }
        of[at] = one;
        count++;
        m.at = one.end;
    }
    if (found < 0 || m.at != m.n || count == 0) {
        return 0;
    }
    for (at = 0; at < count; at++) {
        size_t length = (size_t)(of[at].end - of[at].key + 1); /* with the opening quote */
        *to++ = at ? ',' : '{';
        memcpy(to, p + of[at].key - 1, length);
        to += length;
    }
    *to++ = '}';
    return (size_t)(to - out);
}

#endif
