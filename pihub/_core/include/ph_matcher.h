/* Multi-literal matching (Aho and Corasick, CACM 18(6), 1975), ASCII case-insensitive.
 *
 * Bytes are folded and mapped to classes: one class for each folded byte that occurs in a
 * pattern, class 0 for all others. A state is a row of `classes` next states, so a scan is
 * two loads a byte. Each state knows the longest pattern that ends in it and the next
 * state of its suffix chain that ends one (`link`), so all matches are found.
 *
 * Process memory, read-only once built: (states + 1) x (classes x 4 + 12) bytes.
 */
#ifndef PH_MATCHER_H
#define PH_MATCHER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PH_AC_NONE UINT32_MAX
#define PH_AC_MAX_STATES (1u << 24)

typedef struct ph_ac {
    uint8_t cls[256];           /* byte -> class, folded */
    uint32_t classes;
    uint32_t states;
    uint32_t *next;             /* [state * classes + class] */
    uint32_t *ends;             /* pattern that ends here, NONE */
    uint32_t *same;             /* next pattern of the same text, by pattern */
    uint32_t *link;             /* next state on the suffix chain that ends one, 0: none */
    size_t memory;
} ph_ac;

static inline uint8_t ph_fold(uint8_t b) { return b >= 'A' && b <= 'Z' ? b | 0x20 : b; }

static void ph_ac_free(ph_ac *a) {
    free(a->next);
    free(a->ends);
    free(a->same);
    free(a->link);
    memset(a, 0, sizeof *a);
}

/* Room for `bytes` pattern bytes in all, `patterns` patterns. 0: no memory or too many. */
static int ph_ac_start(ph_ac *a, const uint8_t *used, size_t bytes, size_t patterns) {
    if (bytes >= PH_AC_MAX_STATES || patterns >= PH_AC_MAX_STATES) {
        return 0;
    }
    a->classes = 1;
    for (unsigned b = 0; b < 256; b++) {
        if (used[b] && ph_fold((uint8_t)b) == b) {
            a->cls[b] = (uint8_t)a->classes++; /* folding leaves at most 230 */
        }
    }
    for (unsigned b = 'A'; b <= 'Z'; b++) {
        a->cls[b] = a->cls[b | 0x20];
    }
    a->states = 1;
    size_t states = bytes + 1;
    a->next = (uint32_t *)calloc(states * a->classes, sizeof *a->next);
    a->ends = (uint32_t *)malloc(states * sizeof *a->ends);
    a->link = (uint32_t *)calloc(states, sizeof *a->link);
    a->same = (uint32_t *)malloc((patterns + 1) * sizeof *a->same);
    if (!a->next || !a->ends || !a->link || !a->same) {
        return 0;
    }
    memset(a->ends, 0xFF, states * sizeof *a->ends);
    memset(a->same, 0xFF, (patterns + 1) * sizeof *a->same);
    return 1;
}

static void ph_ac_add(ph_ac *a, const uint8_t *p, size_t n, uint32_t index) {
    uint32_t state = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t *to = &a->next[(size_t)state * a->classes + a->cls[p[i]]];
        if (*to == 0) {
            *to = a->states++;
        }
        state = *to;
    }
    uint32_t *end = &a->ends[state]; /* equal patterns: the first one first */
    while (*end != PH_AC_NONE) {
        end = &a->same[*end];
    }
    *end = index;
}

/* Breadth first: failure links become transitions. 0: no memory. */
static int ph_ac_finish(ph_ac *a) {
    size_t n = a->states;
    uint32_t *queue = (uint32_t *)malloc(n * sizeof *queue), *fail = (uint32_t *)calloc(n, sizeof *fail);
    size_t head = 0, tail = 0;
    if (!queue || !fail) {
        free(queue);
        free(fail);
        return 0;
    }
    for (uint32_t c = 0; c < a->classes; c++) {
        if (a->next[c]) {
            queue[tail++] = a->next[c];
        }
    }
    while (head < tail) {
        uint32_t s = queue[head++];
        uint32_t f = fail[s];
        a->link[s] = a->ends[f] != PH_AC_NONE ? f : a->link[f];
        for (uint32_t c = 0; c < a->classes; c++) {
            uint32_t *to = &a->next[(size_t)s * a->classes + c];
            uint32_t other = a->next[(size_t)f * a->classes + c];
            if (*to) {
                fail[*to] = other;
                queue[tail++] = *to;
            } else {
                *to = other;
            }
        }
    }
    free(queue);
    free(fail);
    uint32_t *shrunk = (uint32_t *)realloc(a->next, n * a->classes * sizeof *a->next);
    if (shrunk) {
        a->next = shrunk;
    }
    a->memory = sizeof *a + n * a->classes * sizeof *a->next + n * (sizeof *a->ends + sizeof *a->link);
    return 1;
}

/* Scan on from *at in state *state. Returns the state in which a pattern ends (*at is then
 * the offset after it), 0 at the end of the data. */
static inline uint32_t ph_ac_scan(const ph_ac *a, const uint8_t *data, size_t n, size_t *at, uint32_t *state) {
    uint32_t s = *state;
    for (size_t i = *at; i < n; i++) {
        s = a->next[(size_t)s * a->classes + a->cls[data[i]]];
        if (a->ends[s] != PH_AC_NONE || a->link[s]) {
            *at = i + 1;
            *state = s;
            return s;
        }
    }
    *at = n;
    *state = s;
    return 0;
}

/* A byte below 0x20 other than tab, or 0x7f. */
static inline int ph_has_control(const uint8_t *p, size_t n) {
    unsigned bad = 0;
    for (size_t i = 0; i < n; i++) {
        bad |= (unsigned)(p[i] < 0x20 && p[i] != '\t') | (unsigned)(p[i] == 0x7f);
    }
    return bad != 0;
}

#endif
