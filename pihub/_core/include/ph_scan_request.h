/* Structure first: queries, forms, URLs and JSON are split, and their parts judged.
 *
 * A value that is itself a URL with a query, a form or a JSON document is split again, three levels
 * deep; what does not parse is judged as the text it is.
 */
#ifndef PH_SCAN_REQUEST_H
#define PH_SCAN_REQUEST_H

#include "ph_scan_value.h"

#define PH_DEEP 3               /* levels of values in values */
#define PH_JSON_DEEP 64

typedef struct ph_worst {
    unsigned total;             /* of the worst value */
    int cls, where;
    const char *rule;
    uint32_t at;
    uint32_t values;            /* that were looked at */
    uint32_t deepest;           /* nesting of JSON */
    int memory;                 /* 0: there was none */
    int over;                   /* a form holds more text than `room`: the rest was not judged */
    size_t room;                /* bytes of a form's text that may still be judged */
    uint8_t field[40];          /* its name, cut */
    uint32_t field_len;
} ph_worst;

/* A header that is judged without a keyword too: names of uploads and of clients hold none. */
static int ph_named_head(const uint8_t *p, size_t n, const uint8_t *name, size_t name_len) {
    return (name_len == 10 && memcmp(name, "USER_AGENT", 10) == 0) || ph_upload_name(p, n);
}

/* `only`: the classes that count, a bit each. */
static void ph_judge_only(ph_scanner *s, const uint8_t *p, size_t n, int where, int encoded, const uint8_t *name,
    size_t name_len, unsigned only, ph_worst *w) {
    w->values++;
    if (n < 2 && (n == 0 || ph_alnum(p[0] | 32))) {
        return;
    }
    uint32_t classes;
    ph_verdict v;
    int cls = 0;
    if (ph_usual(s, p, n, &classes)) {
        if (where != PH_W_HEADER || !ph_named_head(p, n, name, name_len)) {
            return;
        }
        classes = ph_class_scan(p, n);
    }
    memset(&v, 0, sizeof v);
    v.where = where;
    w->memory &= ph_value(s, p, n, encoded, classes, &v);
    for (int c = 0; c < PH_S_CLASSES; c++) {
        v.score[c] = only >> c & 1 ? v.score[c] : 0;
    }
    unsigned total = ph_total(&v, &cls);
    if (where == PH_W_HEADER && encoded) {                  /* of a URL in a header: as strict as a query */
        total = total * 7 / 6 > 100 ? 100 : total * 7 / 6;
    }
    if (total > w->total) {
        w->total = total;
        w->cls = cls;
        w->where = where;
        w->rule = v.rule[cls];
        w->at = v.at[cls];
        w->field_len = (uint32_t)(name_len < sizeof w->field ? name_len : sizeof w->field);
        memcpy(w->field, name, w->field_len);
    }
}

static void ph_judge(ph_scanner *s, const uint8_t *p, size_t n, int where, int encoded, const uint8_t *name,
    size_t name_len, ph_worst *w) {
    ph_judge_only(s, p, n, where, encoded, name, name_len, UINT_MAX, w);
}

static void ph_pairs(ph_scanner *s, const uint8_t *p, size_t n, int where, int level, ph_worst *w);
static void ph_part(ph_scanner *s, const uint8_t *p, size_t n, int where, int encoded, const uint8_t *name, size_t name_len,
    int level, ph_worst *w);
static int ph_json(ph_scanner *s, const uint8_t *p, size_t n, int where, const uint8_t *name, size_t name_len, int level,
    ph_worst *w);

/* name=value(&name=value)+, every name a plain one. */
static int ph_is_form(const uint8_t *p, size_t n, unsigned least) {
    size_t i = 0;
    unsigned pairs = 0;
    while (i < n) {
        size_t start = i;
        while (i < n && (ph_alnum(p[i] | 32) || p[i] == '_' || p[i] == '-' || p[i] == '.' || p[i] == '[' || p[i] == ']')) {
            i++;
        }
        if (i == start || i >= n || p[i] != '=') {
            return 0;
        }
        pairs++;
        const uint8_t *amp = (const uint8_t *)memchr(p + i, '&', n - i);
        i = amp ? (size_t)(amp - p) + 1 : n;
    }
    return pairs >= least;
}

static const uint8_t *ph_base64_values(void) {
    static uint8_t table[256];
    if (!table['B']) {
        memset(table, 0xFF, sizeof table);
        const char *abc = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for (uint8_t i = 0; i < 64; i++) {
            table[(uint8_t)abc[i]] = i;
        }
        table['-'] = 62;
        table['_'] = 63;
    }
    return table;
}

/* Text in base64 (RFC 4648, both alphabets): judged as what it says. 0: it is none. A random token
 * fails at its first letters, which are no text. */
static int ph_base64(ph_scanner *s, const uint8_t *p, size_t n, int where, const uint8_t *name, size_t name_len, int level,
    ph_worst *w) {
    const uint8_t *value = ph_base64_values();
    uint8_t first[9];
    for (int pad = 0; n && pad < 4 && (p[n - 1] == '=' || (n > 2 && p[n - 3] == '%' && p[n - 2] == '3' && (p[n - 1] | 32) == 'd')); pad++) {
        n -= p[n - 1] == '=' ? 1 : 3;
    }
    if (n < 12 || n % 4 == 1) {
        return 0;
    }
    uint32_t begin = (uint32_t)value[p[0]] << 18 | (uint32_t)value[p[1]] << 12 | (uint32_t)value[p[2]] << 6 | value[p[3]];
    if ((value[p[0]] | value[p[1]] | value[p[2]] | value[p[3]]) & 0x80 || begin & 0x808080) {
        return 0;                                         /* most: a word's first letters say no text */
    }
    uint8_t *text = first;
    for (int pass = 0; pass < 2; pass++) {
        size_t to = pass ? n : 12, m = 0;
        uint32_t bits = 0, odd = 0;
        for (size_t i = 0; i < to; i++) {
            odd |= value[p[i]];
            bits = bits << 6 | value[p[i]];
            if (i % 4 == 3 || i + 1 == n) {
                unsigned have = (unsigned)(i % 4) + 1;
                bits <<= 6 * (4 - have);
                for (unsigned k = 0; k + 1 < have; k++) {
                    text[m++] = (uint8_t)(bits >> (16 - 8 * k));
                }
                bits = 0;
            }
        }
        int fine = !(odd & 0x80);
        for (size_t i = 0; i < m && fine; i++) {
            fine = (text[i] >= 32 && text[i] < 127) || text[i] == '\n' || text[i] == '\t' || text[i] == '\r';
        }
        if (!fine) {
            if (text != first) {
                free(text);
            }
            return 0;
        }
        if (pass) {
            ph_part(s, text, m, where, 0, name, name_len, level + 1, w);
            free(text);
            return 1;
        }
        text = (uint8_t *)malloc(n);
        if (!text) {
            w->memory = 0;
            return 1;
        }
    }
    return 0;
}

/* A value after one decoding (`decoded`), or as it is: split if it has a structure of its own. */
static void ph_part(ph_scanner *s, const uint8_t *p, size_t n, int where, int encoded, const uint8_t *name, size_t name_len,
    int level, ph_worst *w) {
    if (n >= 12 && level < PH_DEEP && ph_base64(s, p, n, where, name, name_len, level, w)) {
        return;
    }
    if (n > 1 && n <= PH_PLAIN_MOST && !ph_at(p, n, 0, "http") && ph_plain(&s->keys, p, n)
        && (where != PH_W_HEADER || !ph_named_head(p, n, name, name_len))) {
        w->values++;                                        /* no structure either, but a URL's */
        return;
    }
    uint32_t classes = level < PH_DEEP && n > 8 ? ph_class_scan(p, n) : 0;
    if (!(classes & (PH_C_PERCENT | PH_C_BRACKET | PH_C_AMP | PH_C_SLASH))) {
        ph_judge(s, p, n, where, encoded, name, name_len, w);
        return;
    }
    uint8_t *own = NULL;
    const uint8_t *q = p;
    size_t m = n;
    if (encoded && classes & PH_C_PERCENT) {
        unsigned flags = 0;
        own = (uint8_t *)malloc(n);
        if (!own) {
            w->memory = 0;
            return;
        }
        m = ph_unescape(p, n, own, 1, &flags);
        q = own;
    }
    size_t k = 0;
    int done = 0;
    while (k < m && ph_space(q[k])) {
        k++;
    }
    if (k < m && (q[k] == '{' || q[k] == '[')) {
        ph_worst before = *w;
        done = ph_json(s, q, m, where, name, name_len, level + 1, w);
        if (!done) {
            *w = before;
        }
    } else if (ph_at(q, m, 0, "http") || ph_at(q, m, 0, "/")) {
        const uint8_t *mark = (const uint8_t *)memchr(q, '?', m);
        if (mark && ph_is_form(mark + 1, (size_t)(q + m - mark - 1), ph_at(q, m, 0, "http") ? 1 : 2)) {
            ph_judge(s, q, (size_t)(mark - q), where, 0, name, name_len, w);
            ph_pairs(s, mark + 1, (size_t)(q + m - mark - 1), where, level + 1, w);
            done = 1;
        }
    } else if (ph_is_form(q, m, 2)) {
        ph_pairs(s, q, m, where, level + 1, w);
        done = 1;
    }
    free(own);
    if (!done) {
        ph_judge(s, p, n, where, encoded, name, name_len, w);
    }
}

/* a=b&c=d, still encoded. A part without = is a value. */
static void ph_pairs(ph_scanner *s, const uint8_t *p, size_t n, int where, int level, ph_worst *w) {
    for (size_t i = 0; i < n;) {
        const uint8_t *amp = (const uint8_t *)memchr(p + i, '&', n - i);
        size_t end = amp ? (size_t)(amp - p) : n;
        const uint8_t *eq = (const uint8_t *)memchr(p + i, '=', end - i);
        if (!eq) {
            ph_part(s, p + i, end - i, where, 1, (const uint8_t *)"", 0, level, w);
        } else {
            size_t name = (size_t)(eq - p) - i;
            ph_judge(s, p + i, name, PH_W_KEY, 1, p + i, name, w);
            ph_part(s, eq + 1, end - i - name - 1, where, 1, p + i, name, level, w);
        }
        i = end + 1;
    }
}

static const struct { char from, to; } ph_json_escapes[] = {
    {'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'b', 8}, {'f', 12}, {'"', '"'}, {'\\', '\\'}, {'/', '/'},
};

/* A JSON document: its strings are judged, keys as keys. 0: it is none (or too deep). */
static int ph_json(ph_scanner *s, const uint8_t *p, size_t n, int where, const uint8_t *name, size_t name_len, int level,
    ph_worst *w) {
    uint8_t key[40];
    size_t key_len = name_len < sizeof key ? name_len : sizeof key;
    unsigned depth = 0;
    uint64_t objects = 0;
    uint8_t *text = (uint8_t *)malloc(n + 1);
    memcpy(key, name, key_len);
    if (!text) {
        w->memory = 0;
        return 1;
    }
    int fine = 1, after = 0;
    uint8_t last = 0;                                       /* the mark before: behind { stands a key, or it is a template's */
    for (size_t i = 0; i < n && fine;) {
        uint8_t c = p[i], begun = last == '{';
        last = ph_space(c) ? last : c;
        if (c == '{' || c == '[') {
            objects = objects << 1 | (c == '{');
            fine = !after && !begun && ++depth <= PH_JSON_DEEP;
            w->deepest = depth > w->deepest ? depth : w->deepest;
            i++;
        } else if (c == '}' || c == ']') {
            fine = depth > 0 && (objects & 1) == (c == '}');
            depth--;
            objects >>= 1;
            after = depth == 0;
            i++;
        } else if (c == '"') {
            size_t m = 0;
            for (i++; i < n && p[i] != '"'; i++) {
                if (p[i] == '\\' && i + 1 < n && p[i + 1] != 'u') {
                    size_t e = 0;
                    for (i++; e < 8 && p[i] != (uint8_t)ph_json_escapes[e].from; e++) {
                    }
                    text[m++] = e < 8 ? (uint8_t)ph_json_escapes[e].to : p[i];
                } else {
                    text[m++] = p[i];
                }
            }
            if (i >= n || after) {
                fine = 0;
                break;
            }
            size_t k = ++i;
            while (k < n && ph_space(p[k])) {
                k++;
            }
            if (k < n && p[k] == ':' && objects & 1) {
                key_len = m < sizeof key ? m : sizeof key;
                memcpy(key, text, key_len);
                ph_judge(s, text, m, PH_W_KEY, 0, key, key_len, w);
            } else if (begun) {
                fine = 0;
            } else {
                ph_part(s, text, m, where, 0, key, key_len, level, w);
            }
        } else if (ph_space(c) || c == ',' || c == ':') {
            i++;
        } else if (!after && !begun && depth && (ph_digit(c) || c == '-' || c == '+' || c == '.' || ph_lower(c | 32))) {
            size_t start = i;
            while (i < n && (ph_digit(p[i]) || p[i] == '-' || p[i] == '+' || p[i] == '.' || ph_lower(p[i] | 32))) {
                i++;
            }
            fine = ph_digit(c) || c == '-' || ph_at(p, n, start, "true") || ph_at(p, n, start, "false")
                || ph_at(p, n, start, "null");
        } else {
            fine = 0;
        }
    }
    free(text);
    return fine && after && depth == 0;
}

#include "ph_scan_multipart.h"
#include "ph_scan_xml.h"

/* A body of a known kind: 'j' JSON, 'f' form, 'm' multipart, 'x' XML, 't' any text. */
static void ph_body(ph_scanner *s, const uint8_t *p, size_t n, int kind, int where, ph_worst *w) {
    if (kind == 'f') {
        ph_pairs(s, p, n, where, 0, w);
    } else if (kind == 'm') {
        ph_multipart(s, p, n, where, w);
    } else if (kind == 't' || (kind == 'x' && !ph_xml(s, p, n, where, w))) {
        ph_part(s, p, n, where, 0, (const uint8_t *)"", 0, 0, w);
    } else if (kind == 'j' && !ph_json(s, p, n, where, (const uint8_t *)"", 0, 0, w)) {
        ph_judge(s, p, n, where, 0, (const uint8_t *)"", 0, w);
    }
}
#endif
