/* The second half of ph_lane.h, which includes it: an answer's framing, usage, stop reason and cost. */
#ifndef PH_LANE_ANSWER_H
#define PH_LANE_ANSWER_H

#include "ph_httphead.h"
#include "ph_json.h"

/* ---- the answer's head -------------------------------------------------------------- */

/* The head's end if this is a whole 200 of HTTP/1.1 with a length, whose connection is
 * kept; else -1. */
static inline int64_t ph_lane_head(const uint8_t *p, int64_t n, int64_t *length) {
    ph_head_status line;
    ph_head_field f;
    int64_t at = ph_head_first(p, 0, n, &line);
    *length = -1;
    if (at < 0 || line.minor != 1 || line.status != 200) {
        return -1;
    }
    for (;;) {
        if ((at = ph_head_next(p, at, n, &f)) < 0) {
            return -1;
        }
        if (f.name_len == 0) {
            return *length < 0 ? -1 : at;
        }
        if (f.name_len == 14 && ph_head_is(p + f.name, 14, "content-length", 14)) {
            *length = ph_head_length(p + f.value, f.value_len, *length);
            if (*length < 0) {
                return -1;
            }
        } else if (f.name_len == 10 && ph_head_is(p + f.name, 10, "connection", 10)) {
            if (!ph_head_is(p + f.value, f.value_len, "keep-alive", 10)) {
                return -1;
            }
        } else if (f.name_len == 17 && ph_head_is(p + f.name, 17, "transfer-encoding", 17)) {
            return -1;
        }
    }
}

/* ---- the answer's body -------------------------------------------------------------- */

typedef struct {
    int has_usage;
    int64_t input, output, cache_read, write_5m, write_1h;
    int64_t stop, stop_len;    /* the upstream's word, inside its quotes */
} ph_lane_answer;

/* null (-1 stays in *out) or a small whole number; the index after it. */
static inline int64_t ph_lane_count(const uint8_t *p, int64_t i, int64_t n, int64_t *out) {
    int64_t value = 0, end;
    if (ph_json_word(p, i, n, "null", 4)) {
        return i + 4;
    }
    end = ph_json_number(p, i, n);
    if (end < 0 || end - i > 9) {
        return -1;
    }
    for (; i < end; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return -1;
        }
        value = value * 10 + (p[i] - '0');
    }
    *out = value;
    return end;
}

typedef struct {
    const char *name;
    int64_t *out;
} ph_lane_field;

/* An object, or null, of counts and of what is of no interest: the index after it. A field
 * that stands twice is a no. `inner` fields are objects of their own, read by the caller. */
static inline int64_t ph_lane_counts(const uint8_t *p, int64_t i, int64_t n, const ph_lane_field *fields) {
    ph_json_members m = {.p = p, .n = n, .at = i};
    uint32_t seen = 0;
    int found;
    if (ph_json_word(p, i, n, "null", 4)) {
        return i + 4;
    }
    while ((found = ph_json_next(&m)) == 1) {
        int64_t end = -1;
        int k = 0;
        for (; fields[k].name != NULL; k++) {
            int64_t size = (int64_t)strlen(fields[k].name);
            if (size == m.key_len && memcmp(p + m.key, fields[k].name, (size_t)size) == 0) {
                if (seen & (1u << k)) {
                    return -1;
                }
                seen |= 1u << k;
                end = ph_lane_count(p, m.value, n, fields[k].out);
                break;
            }
        }
        m.at = fields[k].name != NULL ? end : ph_json_value(p, m.value, n, 3);
    }
    return found == 0 ? m.at : -1;
}

/* null or a string without escapes. */
static inline int64_t ph_lane_word(const uint8_t *p, int64_t i, int64_t n, ph_lane_answer *a) {
    int plain = 1;
    int64_t end;
    if (ph_json_word(p, i, n, "null", 4)) {
        return i + 4;
    }
    if (p[i] != '"' || (end = ph_json_string(p, i, n, &plain)) < 0 || !plain) {
        return -1;
    }
    a->stop = i + 1;
    a->stop_len = end - 1 - a->stop;
    return end;
}

/* One pass over an object: known members by their number, everything else skipped.
 * Returns the member's number (from 0), -1 at the object's end, -2 for a no. */
static inline int ph_lane_member(ph_json_members *m, const char *const *names, uint32_t *seen) {
    int found;
    while ((found = ph_json_next(m)) == 1) {
        int k = 0;
        for (; names[k] != NULL; k++) {
            int64_t size = (int64_t)strlen(names[k]);
            if (size == m->key_len && memcmp(m->p + m->key, names[k], (size_t)size) == 0) {
                break;
            }
        }
        if (names[k] != NULL) {
            if (*seen & (1u << k)) {
                return -2;
            }
            *seen |= 1u << k;
            return k;
        }
        m->at = ph_json_value(m->p, m->value, m->n, 2);
    }
    return found == 0 ? -1 : -2;
}

static inline int64_t ph_lane_openai_usage(const uint8_t *p, int64_t i, int64_t n, ph_lane_answer *a) {
    static const char *const names[] = {
        "prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details", NULL};
    ph_json_members m = {.p = p, .n = n, .at = i};
    int64_t prompt = 0, cached = 0, written = 0, reasoning = 0;
    const ph_lane_field prompts[] = {{"cached_tokens", &cached}, {"cache_write_tokens", &written}, {NULL, NULL}};
    const ph_lane_field outputs[] = {{"reasoning_tokens", &reasoning}, {NULL, NULL}};
    uint32_t seen = 0;
    int k;
    if (ph_json_word(p, i, n, "null", 4)) {
        return i + 4;
    }
    while ((k = ph_lane_member(&m, names, &seen)) >= 0) {
        m.at = k == 0   ? ph_lane_count(p, m.value, n, &prompt)
               : k == 1 ? ph_lane_count(p, m.value, n, &a->output)
               : k == 2 ? ph_lane_counts(p, m.value, n, prompts)
                        : ph_lane_counts(p, m.value, n, outputs);
    }
    a->has_usage = 1;
    a->cache_read = cached;
    a->write_5m = written;
    a->input = prompt > cached + written ? prompt - cached - written : 0;
    return k == -1 ? m.at : -1;
}

/* A list of exactly one choice with a message. */
static inline int64_t ph_lane_choices(const uint8_t *p, int64_t i, int64_t n, ph_lane_answer *a) {
    static const char *const names[] = {"index", "finish_reason", "message", NULL};
    ph_json_members m = {.p = p, .n = n};
    uint32_t seen = 0;
    int64_t index = 0;
    int k;
    if (p[i] != '[') {
        return -1;
    }
    m.at = ph_json_space(p, i + 1, n);
    while ((k = ph_lane_member(&m, names, &seen)) >= 0) {
        if (k == 0) {
            m.at = p[m.value] == 'n' ? -1 : ph_lane_count(p, m.value, n, &index);
        } else if (k == 1) {
            m.at = ph_lane_word(p, m.value, n, a);
        } else {
            m.at = p[m.value] == '{' ? ph_json_value(p, m.value, n, 3) : -1;
        }
    }
    if (k != -1 || index != 0 || !(seen & 4)) {
        return -1;
    }
    i = ph_json_space(p, m.at, n);
    return i < n && p[i] == ']' ? i + 1 : -1;
}

static inline int ph_lane_openai(const uint8_t *p, int64_t n, ph_lane_answer *a) {
    static const char *const names[] = {"choices", "usage", NULL};
    ph_json_members m = {.p = p, .n = n, .at = ph_json_space(p, 0, n)};
    uint32_t seen = 0;
    int k;
    while ((k = ph_lane_member(&m, names, &seen)) >= 0) {
        m.at = k == 0 ? ph_lane_choices(p, m.value, n, a) : ph_lane_openai_usage(p, m.value, n, a);
    }
    return k == -1 && (seen & 1) && ph_json_space(p, m.at, n) == n;
}

static inline int64_t ph_lane_anthropic_usage(const uint8_t *p, int64_t i, int64_t n, ph_lane_answer *a) {
    static const char *const names[] = {
        "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
        "cache_creation", "output_tokens_details", NULL};
    ph_json_members m = {.p = p, .n = n, .at = i};
    int64_t written = -1, little = -1, great = -1, thinking = -1;
    const ph_lane_field parts[] = {
        {"ephemeral_5m_input_tokens", &little}, {"ephemeral_1h_input_tokens", &great}, {NULL, NULL}};
    const ph_lane_field outputs[] = {{"thinking_tokens", &thinking}, {NULL, NULL}};
    uint32_t seen = 0;
    int k;
    if (ph_json_word(p, i, n, "null", 4)) {
        return i + 4;
    }
    while ((k = ph_lane_member(&m, names, &seen)) >= 0) {
        m.at = k == 0   ? ph_lane_count(p, m.value, n, &a->input)
               : k == 1 ? ph_lane_count(p, m.value, n, &a->output)
               : k == 2 ? ph_lane_count(p, m.value, n, &a->cache_read)
               : k == 3 ? ph_lane_count(p, m.value, n, &written)
               : k == 4 ? ph_lane_counts(p, m.value, n, parts)
                        : ph_lane_counts(p, m.value, n, outputs);
    }
    a->has_usage = 1;
    a->write_1h = great > 0 ? great : 0;
    if (little < 0 && written >= 0) {
        little = written - a->write_1h;
    }
    a->write_5m = little > 0 ? little : 0;
    return k == -1 ? m.at : -1;
}

static inline int ph_lane_anthropic(const uint8_t *p, int64_t n, ph_lane_answer *a) {
    static const char *const names[] = {"type", "content", "stop_reason", "usage", NULL};
    ph_json_members m = {.p = p, .n = n, .at = ph_json_space(p, 0, n)};
    uint32_t seen = 0;
    int k;
    while ((k = ph_lane_member(&m, names, &seen)) >= 0) {
        if (k == 0) {
            m.at = ph_json_word(p, m.value, n, "\"message\"", 9) ? m.value + 9 : -1;
        } else if (k == 1) {
            m.at = ph_json_value(p, m.value, n, 2);
        } else {
            m.at = k == 2 ? ph_lane_word(p, m.value, n, a) : ph_lane_anthropic_usage(p, m.value, n, a);
        }
    }
    return k == -1 && (seen & 3) == 3 && ph_json_space(p, m.at, n) == n;
}

/* 1 if the body is such an answer, in the protocol's form. */
static inline int ph_lane_read_answer(int protocol, const uint8_t *p, int64_t n, ph_lane_answer *a) {
    memset(a, 0, sizeof *a);
    return protocol == PH_LANE_OPENAI ? ph_lane_openai(p, n, a) : ph_lane_anthropic(p, n, a);
}

/* ---- money --------------------------------------------------------------------------- */

typedef struct {
    int64_t rates[5];          /* pico-USD a token: input, output, read, write 5m and 1h */
    int64_t long_rates[5];
    int64_t long_above;        /* prompt tokens; 0: no such tier */
    int known;
} ph_lane_price;

/* nano-USD, rounded up (domain/pricing.py); counts and rates below 10**9 cannot overflow. */
static inline int64_t ph_lane_cost(const ph_lane_price *price, const ph_lane_answer *a) {
    int64_t prompt = a->input + a->cache_read + a->write_5m + a->write_1h;
    const int64_t *r = price->long_above && prompt > price->long_above ? price->long_rates : price->rates;
    int64_t pico = a->input * r[0] + a->output * r[1] + a->cache_read * r[2] + a->write_5m * r[3] +
                   a->write_1h * r[4];
    return (pico + 999) / 1000;
}

#endif
