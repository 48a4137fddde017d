/* What a prompt looks like, as numbers for a linear model: hashed words and word pairs,
 * and a few counts.
 *
 *   rows 0 .. PH_DF_BUCKETS - 1            signed hashed words and pairs, log counts, L2 norm 1
 *   rows PH_DF_BUCKETS .. PH_DF_ROWS - 1   the counts named in difficulty.pyi
 *
 * A word is a run of letters (bytes above 127 are letters), a run of digits (all digits
 * are the same, at most three of them), or one other printable character. Source of the
 * method: Weinberger et al., Feature Hashing for Large Scale Multitask Learning (2009).
 *
 * Bound   the first PH_DF_TEXT bytes are read; 115 KiB of stack for as long as a call.
 */
#ifndef PH_DIFFICULTY_H
#define PH_DIFFICULTY_H

#include <math.h>
#include <stdint.h>
#include <string.h>

enum {
    PH_DF_BUCKETS = 8192,
    PH_DF_CUES = 24,
    PH_DF_COUNTS = 14,
    PH_DF_ROWS = PH_DF_BUCKETS + PH_DF_COUNTS + PH_DF_CUES,
    PH_DF_TEXT = 4000,
    PH_DF_WORDS = PH_DF_TEXT + 1,
    PH_DF_MOST = 2 * PH_DF_WORDS + PH_DF_COUNTS + PH_DF_CUES
};

typedef struct ph_df_feature {
    uint32_t row;
    float value;
} ph_df_feature;

typedef struct ph_df_word {
    uint32_t hash;
    uint16_t start;
    uint16_t end;
} ph_df_word;

static const char *const ph_df_cues[PH_DF_CUES] = {
    "prove", "explain", "why", "how", "what", "code", "function", "write", "list", "calculate",
    "solve", "story", "poem", "translate", "summarize", "compare", "which", "find", "step",
    "design", "python", "answer", "true", "following",
};

static inline int ph_df_letter(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 128;
}
static inline int ph_df_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static inline uint32_t ph_df_step(uint32_t h, uint8_t c) { return (h ^ c) * 16777619u; }
static inline uint32_t ph_df_mix(uint32_t h) {
    h ^= h >> 16;
    h *= 0x7feb352du;
    h ^= h >> 15;
    h *= 0x846ca68bu;
    return h ^ h >> 16;
}
static inline uint32_t ph_df_pair(uint32_t a, uint32_t b) {
    return ph_df_mix(a * 31u + b * 0x9E3779B1u + 1u);
}
static inline uint32_t ph_df_bucket(uint32_t h) { return h & (PH_DF_BUCKETS - 1); }
static inline int ph_df_sign(uint32_t h) { return h >> 31 ? -1 : 1; }

/* The words of at most PH_DF_TEXT bytes; returns how many. */
static inline int ph_df_words(const uint8_t *p, int n, ph_df_word *out) {
    int count = 0, i = 0;
    while (i < n) {
        int start = i;
        uint32_t h = 2166136261u;
        if (ph_df_letter(p[i])) {
            for (; i < n && ph_df_letter(p[i]); i++) {
                h = ph_df_step(h, p[i] >= 'A' && p[i] <= 'Z' ? p[i] | 32 : p[i]);
            }
        } else if (ph_df_digit(p[i])) {
            for (; i < n && ph_df_digit(p[i]); i++) {
                if (i - start < 3) {
                    h = ph_df_step(h, '0');
                }
            }
        } else {
            uint8_t c = p[i++];
            if (c <= ' ' || c == 127) {
                continue;
            }
            h = ph_df_step(h, c);
        }
        out[count].hash = ph_df_mix(h);
        out[count].start = (uint16_t)start;
        out[count].end = (uint16_t)i;
        count++;
    }
    return count;
}

static inline int ph_df_is_cue(const uint8_t *p, const ph_df_word *word, const char *cue) {
    int n = word->end - word->start;
    if ((int)strlen(cue) != n) {
        return 0;
    }
    for (int i = 0; i < n; i++) {
        if ((p[word->start + i] | 32) != (uint8_t)cue[i]) {
            return 0;
        }
    }
    return 1;
}

static inline int ph_df_counts(const uint8_t *p, int n, const ph_df_word *words, int count,
                               ph_df_feature *out) {
    int digits = 0, numbers = 0, lines = 0, upper = 0, questions = 0, maths = 0, code = 0;
    int wide = 0, choices = 0, fence = 0, blanks = 0, quotes = 0, k = 0;
    for (int i = 0; i < n; i++) {
        uint8_t c = p[i];
        digits += ph_df_digit(c);
        numbers += ph_df_digit(c) && (i == 0 || !ph_df_digit(p[i - 1]));
        upper += c >= 'A' && c <= 'Z';
        wide += c >= 128;
        questions += c == '?';
        quotes += c == '"';
        blanks += c == '_' && i > 0 && p[i - 1] == '_';
        maths += c == '$' || c == '\\' || c == '^' || c == '=';
        code += c == '{' || c == '}' || c == '(' || c == ')' || c == ';';
        if (c == '\n') {
            lines++;
            choices += i + 2 < n && p[i + 1] >= 'A' && p[i + 1] <= 'J' &&
                       (p[i + 2] == '.' || p[i + 2] == ')');
        }
        fence |= c == '`' && i + 2 < n && p[i + 1] == '`' && p[i + 2] == '`';
    }
    float size = (float)n + 1, spread = (float)count + 1;
    const float value[PH_DF_COUNTS] = {
        logf(size) / 8, logf(spread) / 6, 5 * digits / size, sqrtf((float)numbers) / 5,
        sqrtf((float)lines) / 5, 5 * upper / size, sqrtf((float)questions) / 2,
        sqrtf((float)maths) / 5, sqrtf((float)code) / 6, (float)fence, 5 * wide / size,
        size / spread / 10, (float)(choices > 10 ? 10 : choices) / 5,
        sqrtf((float)(blanks + quotes)) / 5,
    };
    for (int i = 0; i < PH_DF_COUNTS; i++) {
        if (value[i] != 0) {
            out[k].row = (uint32_t)(PH_DF_BUCKETS + i);
            out[k++].value = 0.5f * value[i];
        }
    }
    for (int cue = 0; cue < PH_DF_CUES; cue++) {
        uint8_t first = (uint8_t)ph_df_cues[cue][0];
        for (int i = 0; i < count; i++) {
            if ((p[words[i].start] | 32) == first && ph_df_is_cue(p, &words[i], ph_df_cues[cue])) {
                out[k].row = (uint32_t)(PH_DF_BUCKETS + PH_DF_COUNTS + cue);
                out[k++].value = 0.3f;
                break;
            }
        }
    }
    return k;
}

/* All features of the text; `out` has room for PH_DF_MOST; returns how many. */
static inline int ph_df_features(const uint8_t *p, int n, ph_df_word *words, ph_df_feature *out) {
    int16_t sums[PH_DF_BUCKETS];
    int count, k = 0;
    double norm = 0;
    if (n > PH_DF_TEXT) {
        n = PH_DF_TEXT;
    }
    memset(sums, 0, sizeof sums);
    count = ph_df_words(p, n, words);
    for (int pass = 0; pass < 2; pass++) { /* words, then pairs */
        for (int i = pass; i < count; i++) {
            uint32_t h = pass ? ph_df_pair(words[i - 1].hash, words[i].hash) : words[i].hash;
            uint32_t row = ph_df_bucket(h);
            if (sums[row] == 0) {
                out[k++].row = row; /* again if it came back to 0: sorted out below */
            }
            sums[row] = (int16_t)(sums[row] + ph_df_sign(h));
        }
    }
    int kept = 0;
    for (int i = 0; i < k; i++) {
        uint32_t row = out[i].row;
        int sum = sums[row];
        if (sum) {
            sums[row] = 0;
            float size = log1pf((float)(sum < 0 ? -sum : sum));
            out[kept].row = row;
            out[kept++].value = sum < 0 ? -size : size;
            norm += (double)size * size;
        }
    }
    float scale = norm > 0 ? (float)(1 / sqrt(norm)) : 0;
    for (int i = 0; i < kept; i++) {
        out[i].value *= scale;
    }
    return kept + ph_df_counts(p, n, words, count, out + kept);
}

#endif
