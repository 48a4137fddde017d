/* A body of XML: the texts of its elements and the values of its attributes are judged, as JSON's are.
 *
 * As one text an honest document would be judged as markup: <link>, <object> and <set> are tags to a browser and mean
 * nothing in an order. Of the whole only what lies in its structure counts: entities, inclusions, classes that a reader
 * would make objects of. What a browser would run (XHTML, SVG, XSLT), and what is not well-formed, stays a text.
 */
#ifndef PH_SCAN_XML_H
#define PH_SCAN_XML_H

#define PH_XML_DEEP 64

typedef struct ph_xml_text {
    uint8_t *at;                /* of the element that is open: decoded, across comments and CDATA */
    size_t n;
} ph_xml_text;

static inline int ph_xml_named(uint8_t c) { return ph_alnum(c | 32) || c == '_' || c == ':' || c == '-' || c == '.' || c >= 0x80; }

static size_t ph_xml_name(const uint8_t *p, size_t n, size_t i) {
    while (i < n && ph_xml_named(p[i])) {
        i++;
    }
    return i;
}

static size_t ph_xml_space(const uint8_t *p, size_t n, size_t i) {
    while (i < n && ph_space(p[i])) {
        i++;
    }
    return i;
}

/* Appends p[i] to p[end - 1], its entities decoded. */
static void ph_xml_append(ph_xml_text *text, const uint8_t *p, size_t i, size_t end) {
    while (i < end) {
        uint32_t c = 0;
        size_t k = p[i] == '&' ? ph_entity(p, end, i, &c) : 0;
        if (k) {
            text->n += ph_put_utf8(text->at + text->n, c > 0xFFFF ? 0xFFFD : c);
            i += k;
        } else {
            text->at[text->n++] = p[i++];
        }
    }
}

static void ph_xml_flush(ph_scanner *s, ph_xml_text *text, int where, const uint8_t *name, size_t len, ph_worst *w) {
    if (ph_xml_space(text->at, text->n, 0) < text->n) {
        ph_part(s, text->at, text->n, where, 0, name, len, 1, w);
    }
    text->n = 0;
}

/* A namespace whose elements do something by themselves. */
static int ph_xml_active(const uint8_t *p, size_t n) {
    static const char *const names[] = {"1999/xhtml", "2000/svg", "XSL/Transform", "Math/MathML", "TR/WD-xsl", "microsoft-com:vml",
        "microsoft-com:xslt", "mozilla.org/xbl"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        if (memmem(p, n, names[k], strlen(names[k]))) {
            return 1;
        }
    }
    return 0;
}

/* The attributes of a tag, from p[i] on. Returns where its / or > stands, 0: it is none. */
static size_t ph_xml_attributes(ph_scanner *s, const uint8_t *p, size_t n, size_t i, int where, ph_xml_text *text, ph_worst *w) {
    for (;;) {
        size_t name = ph_xml_space(p, n, i), end = ph_xml_name(p, n, name);
        if (end == name) {
            return name < n && (p[name] == '>' || p[name] == '/') ? name : 0;
        }
        size_t eq = ph_xml_space(p, n, end);
        size_t at = eq < n && p[eq] == '=' ? ph_xml_space(p, n, eq + 1) : n;
        const uint8_t *close = at < n && name > i && (p[at] == '"' || p[at] == '\'') ? memchr(p + at + 1, p[at], n - at - 1) : NULL;
        if (!close) {
            return 0;
        }
        i = (size_t)(close - p);
        if (memchr(p + at, '<', i - at)) {
            return 0;
        }
        ph_xml_append(text, p, at + 1, i++);
        if (ph_at(p, n, name, "xmlns") && ph_xml_active(text->at, text->n)) {
            return 0;
        }
        ph_xml_flush(s, text, where, p + name, end - name, w);
    }
}

/* Behind what begins at p[i] with <! or <?, 0: it does not end. Its text counts for the element around it or, of all
 * but CDATA, for itself. */
static size_t ph_xml_aside(ph_scanner *s, const uint8_t *p, size_t n, size_t i, int where, ph_xml_text *text, ph_worst *w) {
    int cdata = ph_at(p, n, i, "<![CDATA["), comment = ph_at(p, n, i, "<!--");
    if (cdata || comment || p[i + 1] == '?') {
        size_t from = i + (cdata ? 9 : comment ? 4 : 2);
        const uint8_t *end = memmem(p + from, n - from, cdata ? "]]>" : comment ? "-->" : "?>", cdata || comment ? 3 : 2);
        if (!end) {
            return 0;
        }
        size_t to = (size_t)(end - p), behind = to + (cdata || comment ? 3 : 2);
        if (cdata) {
            memcpy(text->at + text->n, p + from, to - from);
            text->n += to - from;
        } else if (comment) {
            ph_part(s, p + i, behind - i, where, 0, (const uint8_t *)"", 0, 1, w);
        } else if (!ph_at(p, n, i, "<?xml ")) {
            ph_judge(s, p + i, behind - i, where, 0, (const uint8_t *)"", 0, w);
        }
        return behind;
    }
    int inner = 0;
    for (size_t k = i; k < n; k++) {                        /* a document type: its > stands outside of quotes and [] */
        if (p[k] == '"' || p[k] == '\'') {
            const uint8_t *end = memchr(p + k + 1, p[k], n - k - 1);
            if (!end) {
                return 0;
            }
            k = (size_t)(end - p);
        } else if (p[k] == '>' && !inner) {
            ph_judge(s, p + i, k + 1 - i, where, 0, (const uint8_t *)"", 0, w);
            return k + 1;
        }
        inner += p[k] == '[' ? 1 : p[k] == ']' ? -1 : 0;
    }
    return 0;
}

/* Every element of a document. 0: it is not well-formed, or too deep, or a browser would run it. */
static int ph_xml_elements(ph_scanner *s, const uint8_t *p, size_t n, int where, ph_xml_text *text, ph_worst *w) {
    struct { size_t at, len; } open[PH_XML_DEEP];
    unsigned depth = 0;
    int root = 0;
    size_t i = ph_at(p, n, 0, "\xEF\xBB\xBF") ? 3 : 0;
    while (i < n) {
        if (p[i] != '<') {
            const uint8_t *lt = memchr(p + i, '<', n - i);
            size_t end = lt ? (size_t)(lt - p) : n;
            if (!depth && ph_xml_space(p, end, i) < end) {
                return 0;
            }
            if (depth) {
                ph_xml_append(text, p, i, end);
            }
            i = end;
            continue;
        }
        if (i + 2 >= n) {
            return 0;
        }
        if (p[i + 1] == '!' || p[i + 1] == '?') {
            i = ph_xml_aside(s, p, n, i, where, text, w);
            if (!i) {
                return 0;
            }
            continue;
        }
        if (depth) {
            ph_xml_flush(s, text, where, p + open[depth - 1].at, open[depth - 1].len, w);
        }
        int close = p[i + 1] == '/';
        size_t name = i + 1 + (size_t)close, end = ph_xml_name(p, n, name);
        if (close) {
            i = ph_xml_space(p, n, end);
            if (!depth || open[depth - 1].len != end - name || memcmp(p + open[depth - 1].at, p + name, end - name) != 0 || i >= n || p[i] != '>') {
                return 0;
            }
            depth--;
            i++;
            continue;
        }
        if (end == name || (!depth && root++)) {
            return 0;
        }
        w->deepest = depth + 1 > w->deepest ? depth + 1 : w->deepest;
        i = ph_xml_attributes(s, p, n, end, where, text, w);
        if (!i || depth == PH_XML_DEEP) {
            return 0;
        }
        if (p[i] == '/') {
            if (i + 1 >= n || p[i + 1] != '>') {
                return 0;
            }
            i += 2;
        } else {
            open[depth].at = name;
            open[depth++].len = end - name;
            i++;
        }
    }
    return root && depth == 0;
}

static int ph_xml(ph_scanner *s, const uint8_t *p, size_t n, int where, ph_worst *w) {
    ph_worst before = *w;
    ph_xml_text text = {(uint8_t *)malloc(n + 1), 0};
    if (!text.at) {
        w->memory = 0;
        return 1;
    }
    int fine = ph_xml_elements(s, p, n, where, &text, w);
    free(text.at);
    if (!fine) {
        before.deepest = w->deepest > PH_XML_DEEP ? w->deepest : before.deepest;
        *w = before;
        return 0;
    }
    ph_judge_only(s, p, n, where, 0, (const uint8_t *)"", 0, 1u << PH_S_XXE | 1u << PH_S_CODE, w);
    return 1;
}
#endif
