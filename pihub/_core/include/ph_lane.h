/* What the lane must see of a chat: the request's model and temperature, the answer's
 * framing, usage and stop reason. Whatever is not plain is a "no" and goes the long way.
 *
 * A "yes" here is what protocols/peek.py, upstream/connector and the formats' `glance` would
 * say of the same bytes; tests/core/test_lane.py compares them.
 */
#ifndef PH_LANE_H
#define PH_LANE_H

#include "ph_httphead.h"
#include "ph_json.h"

enum { PH_LANE_OPENAI = 1, PH_LANE_ANTHROPIC = 2 };

/* shared/metrics.py's number of the counter of the lane's answers. */
enum { PH_COLUMN_LANE = 29 };

#define PH_LANE_KEYS 32     /* as jsonscan: more members than a chat request has */

/* ---- the request -------------------------------------------------------------------- */

typedef struct {
    int64_t model, model_len;  /* the name, inside its quotes */
    int has_temperature;
    double temperature;
} ph_lane_ask;

static inline int ph_lane_alike(const uint8_t *a, const uint8_t *b, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (ph_head_lower(a[i]) != ph_head_lower(b[i])) {
            return 0;
        }
    }
    return 1;
}

/* A decimal of few digits, exactly; the index after it. */
static inline int64_t ph_lane_decimal(const uint8_t *p, int64_t i, int64_t n, double *out) {
    int64_t end = ph_json_number(p, i, n), whole = 0;
    double scale = 1;
    int point = 0;
    if (end < 0 || end - i > 15 || p[i] == '-') {
        return -1;
    }
    for (; i < end; i++) {
        if (p[i] == '.') {
            point = 1;
        } else if (p[i] >= '0' && p[i] <= '9') {
            whole = whole * 10 + (p[i] - '0');
            scale = point ? scale * 10 : scale;
        } else {
            return -1; /* an exponent */
        }
    }
    *out = (double)whole / scale;
    return end;
}

#define PH_KEY(m, word) \
    ((m).key_len == sizeof(word) - 1 && memcmp((m).p + (m).key, word, sizeof(word) - 1) == 0)
#define PH_KEY_LIKE(m, word) \
    ((m).key_len == sizeof(word) - 1 && ph_lane_alike((m).p + (m).key, (const uint8_t *)word, sizeof(word) - 1))

/* 1 if the body is a request that passes with nothing but its model's name changed. */
static inline int ph_lane_read_ask(const uint8_t *p, int64_t n, ph_lane_ask *out) {
    ph_json_members m = {.p = p, .n = n, .at = ph_json_space(p, 0, n)};
    int64_t seen[PH_LANE_KEYS][2];
    int count = 0, found;
    memset(out, 0, sizeof *out);
    while ((found = ph_json_next(&m)) == 1) {
        if (count == PH_LANE_KEYS) {
            return 0;
        }
        for (int k = 0; k < count; k++) {
            if (seen[k][1] == m.key_len && ph_lane_alike(p + seen[k][0], p + m.key, m.key_len)) {
                return 0;
            }
        }
        seen[count][0] = m.key;
        seen[count++][1] = m.key_len;
        if (PH_KEY(m, "model")) {
            int plain = 1;
            if (p[m.value] != '"' || (m.at = ph_json_string(p, m.value, n, &plain)) < 0 || !plain) {
                return 0;
            }
            out->model = m.value + 1;
            out->model_len = m.at - 1 - out->model;
        } else if (PH_KEY(m, "temperature")) {
            if (ph_json_word(p, m.value, n, "null", 4)) {
                m.at = m.value + 4;
            } else {
                m.at = ph_lane_decimal(p, m.value, n, &out->temperature);
                out->has_temperature = 1;
            }
        } else if (PH_KEY(m, "stream")) {
            if (!ph_json_word(p, m.value, n, "false", 5)) {
                return 0;
            }
            m.at = m.value + 5;
        } else if (PH_KEY_LIKE(m, "model") || PH_KEY_LIKE(m, "stream") || PH_KEY_LIKE(m, "stream_options") ||
                   PH_KEY_LIKE(m, "thinking")) {
            return 0; /* who signed a thought is the pipeline's to remember */
        } else {
            m.at = ph_json_value(p, m.value, n, 1);
        }
    }
    return found == 0 && out->model_len > 0 && ph_json_space(p, m.at, n) == n;
}

#include "ph_lane_answer.h"

#endif
