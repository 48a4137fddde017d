/* Cross-site scripting: markup as an HTML tokenizer sees it, and script in whatever context.
 *
 * Tags, attributes and values as in the HTML standard, section 13.2.5; an injection may begin inside
 * of a tag or a quoted attribute, so event handlers count after any quote too. Formatting alone
 * (<b>, <p>) is no attack.
 */
#ifndef PH_SCAN_HTML_H
#define PH_SCAN_HTML_H

#include "ph_scan_attr.h"

/* <? echo, <? exec( */
static int ph_php_short(const uint8_t *p, size_t n, size_t i) {
    static const char *const words[] = {"echo", "print", "exec", "system", "eval", "passthru", "include", "require"};
    size_t k = i + 1;
    while (k < n && ph_space(p[k])) {
        k++;
    }
    for (size_t w = 0; w < sizeof words / sizeof *words && k > i + 1; w++) {
        if (ph_at(p, n, k, words[w])) {
            return 1;
        }
    }
    return 0;
}

/* Behind the last closing tag or call, 0: there is none. */
static size_t ph_last_use(const uint8_t *p, size_t n) {
    size_t i = n;
    while (i && p[i - 1] != '(' && !(p[i - 1] == '<' && i < n && p[i] == '/')) {
        i--;
    }
    return i;
}

/* <object> and so on: a tag that a sentence only names. p[i] is behind its name. *used: of ph_last_use, n + 1 before the
 * first question: each tag's own look at all behind it would take the square of the time. */
static int ph_named_tag(const uint8_t *p, size_t n, size_t i, size_t *used) {
    if (!(i + 2 < n && p[i] == '>' && (memchr("`'\").,;: ", p[i + 1], 9) || p[i + 1] == '<'))) {
        return 0;
    }
    *used = *used > n ? ph_last_use(p, n) : *used;
    return *used <= i;
}

/* <f o r m, <i-f-r-a-m-e: a tag whose letters stand apart, for a filter that trims. p[i] is the first of them. */
static int ph_spaced_tag(const ph_words *words, const uint8_t *p, size_t n, size_t i) {
    uint8_t name[16] = {0};
    size_t m = 0;
    while (i < n && m < sizeof name && ph_lower(p[i]) && (i + 1 >= n || !ph_alnum(p[i + 1]))) {
        name[m++] = p[i];
        i += 2;
        i += i < n && !ph_alnum(p[i]);
    }
    return m > 3 && ph_word_kinds(words, name, m) & (K_TAG | K_MARKUP);
}

/* The name behind a prefix at p[i]: of those tags that no vocabulary of data has. */
static int ph_prefixed_tag(const uint8_t *p, size_t n, size_t i) {
    return ph_at(p, n, i, "script") || ph_at(p, n, i, "iframe") || ph_at(p, n, i, "vmlframe") || ph_at(p, n, i, "embed")
        || ph_at(p, n, i, "applet") || ph_at(p, n, i, "svg") || ph_at(p, n, i, "foreignobject") || ph_at(p, n, i, "frameset");
}

/* An element that only drawings and formulas have, with attributes or empty: p[i] is behind its name. Maps have <polygon> too, but with children. */
static int ph_drawn(const uint8_t *p, size_t n, size_t name, size_t i) {
    static const char *const words[] = {"circle", "ellipse", "rect", "polygon", "polyline", "tspan", "textpath", "clippath",
        "lineargradient", "radialgradient", "mpath", "mtext", "mglyph", "malignmark", "mrow", "maction"};
    size_t k = i;
    while (k < n && ph_space(p[k])) {
        k++;
    }
    if (k >= n || !((k > i && ph_lower(p[k])) || (p[k] == '/' && k + 1 < n))) {
        return 0;
    }
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        if (strlen(words[w]) == i - name && ph_at(p, n, name, words[w])) {
            return 1;
        }
    }
    return i - name > 5 && ph_at(p, n, name, "fe") && (ph_at(p, n, name + 2, "flood") || ph_at(p, n, name + 2, "color")
        || ph_at(p, n, name + 2, "gaussian") || ph_at(p, n, name + 2, "blend") || ph_at(p, n, name + 2, "turbulence")
        || ph_at(p, n, name + 2, "composite") || ph_at(p, n, name + 2, "offset") || ph_at(p, n, name + 2, "merge"));
}

/* The end of an element whose text a browser does not read as markup, or that is active, at the value's beginning: what it
 * ends began outside. */
static int ph_ends_outer(const uint8_t *p, size_t n, size_t name, size_t len) {
    static const char *const words[] = {"textarea", "title", "noscript", "template", "select", "noframes", "object", "math",
        "frameset", "iframe", "noembed", "xmp", "applet", "marquee"};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        if (strlen(words[w]) == len && ph_at(p, n, name, words[w])) {
            return 1;
        }
    }
    return 0;
}

/* An element that lays out a page or asks its reader, which no formatted text has, with an attribute that has a value, and
 * with an end. p[i] is behind its name. */
static int ph_laid_out(const uint8_t *p, size_t n, size_t name, size_t i) {
    static const char *const words[] = {"div", "image", "image2", "button", "details", "dialog", "area", "map", "fieldset", "keygen",
        "multicol", "basefont", "template", "textarea"};
    size_t end = n < i + 256 ? n : i + 256, k = i, w = 0;
    while (w < sizeof words / sizeof *words && !(strlen(words[w]) == i - name && ph_at(p, n, name, words[w]))) {
        w++;
    }
    if (w == sizeof words / sizeof *words) {
        return 0;
    }
    while (k < end && ph_space(p[k])) {
        k++;
    }
    if (k == i || k >= end || !ph_lower(p[k])) {
        return 0;
    }
    const uint8_t *gt = (const uint8_t *)memchr(p + k, '>', end - k);
    return gt && memchr(p + k, '=', (size_t)(gt - p) - k);
}

/* A document's head behind other markup: one document inside of another. */
static void ph_prolog(ph_verdict *v, uint64_t *seen, size_t at) {
    if (!v->prose && *seen & (1ull << X_PLAIN | 1ull << X_WEAK | 1ull << X_CLOSE | 1ull << X_DOC)) {
        ph_once(v, PH_S_XSS, seen, X_DECL, 40, "inner-document", at);
    }
}

/* All markup of a value. */
static void ph_html(const ph_words *words, const uint8_t *p, size_t n, ph_verdict *v) {
    uint64_t seen = 0;
    size_t i = 0, used = n + 1;
    while (i < n && v->score[PH_S_XSS] < 80 && !v->done) {
        const uint8_t *lt = (const uint8_t *)memchr(p + i, '<', n - i);
        if (!lt) {
            return;
        }
        size_t at = i = (size_t)(lt - p) + 1;
        if (i >= n) {
            return;
        }
        if (p[i] == '!' || p[i] == '?') {
            if (ph_at(p, n, i, "!--#")) {
                ph_add(v, PH_S_SHELL, 70, "server-side-include", at);
            } else if (ph_at(p, n, i, "?php") || ph_at(p, n, i, "?=") || ph_php_short(p, n, i)) {
                ph_add(v, PH_S_CODE, 70, "php-tag", at);
            } else if (ph_at(p, n, i, "?xml-stylesheet") || ph_at(p, n, i, "?import") || ph_at(p, n, i, "![cdata")) {
                ph_once(v, PH_S_XSS, &seen, X_DECL, 60, "xml-stylesheet", at);
            } else if (ph_at(p, n, i, "!--[if")) {
                ph_once(v, PH_S_XSS, &seen, X_DECL, 60, "conditional-comment", at);
            } else if (at == 1 && ph_at(p, n, i, "!--") && v->where == PH_W_QUERY) {
                ph_once(v, PH_S_XSS, &seen, X_DECL, 60, "comment", at);     /* what follows in the page, or a filter, is hidden */
            } else if (ph_at(p, n, i, "!entity") || ph_at(p, n, i, "!attlist")) {
                ph_add(v, PH_S_XXE, 70, "entity", at);
            } else if (ph_at(p, n, i, "!doctype") || ph_at(p, n, i, "!element")) {
                size_t k = i + 8, end = n < i + 96 ? n : i + 96;
                while (k < end && p[k] != '[' && p[k] != '>' && !ph_at(p, n, k, "system") && !ph_at(p, n, k, "public")) {
                    k++;
                }
                ph_add(v, PH_S_XXE, k < end && p[k] != '>' ? 70 : 20, "doctype", at);
                ph_prolog(v, &seen, at);
            } else if (ph_at(p, n, i, "?xml ")) {
                ph_prolog(v, &seen, at);
            }
            continue;
        }
        int close = p[i] == '/';
        i += (size_t)close;
        while (i < n && close && (p[i] == '/' || p[i] < ' ')) {
            i++;
        }
        if (close && i < n && p[i] == ' ' && p[i - 1] == '/' && i > at + 1) {
            i = ph_attributes(words, p, n, i, v, &seen);         /* <// style=x>: a tag to some readers */
            continue;
        }
        size_t name = i;
        if (i < n && !close && (ph_space(p[i]) || p[i] == '/' || p[i] == '\\')) {  /* filters that trim */
            while (i < n && i < name + 4 && (ph_space(p[i]) || p[i] == '/' || p[i] == '\\')) {
                i++;
            }
            name = i;
        }
        while (i < n && (ph_alnum(p[i]) || p[i] == '_')) {
            i++;
        }
        if (i < n && p[i] == ':' && ph_prefixed_tag(p, n, i + 1)) {
            ph_once(v, PH_S_XSS, &seen, X_TAG, 70, "active-tag", at);
        }
        if (i == name || !ph_lower(p[name])) {
            continue;
        }
        if (i - name == 1 && !close && ph_spaced_tag(words, p, n, name)) {
            ph_once(v, PH_S_XSS, &seen, X_TAG, 70, "spaced-tag", at);
        }
        uint32_t kinds = i - name < 32 ? ph_word_kinds(words, p + name, i - name) : 0;
        int bound = i >= n || p[i] == '>' || p[i] == '/' || ph_space(p[i]) || p[i] < 32 || p[i] == ':' || p[i] == '"'
            || p[i] == '\'' || p[i] == '\\' || p[i] == '<' || p[i] == '(' || p[i] == '=';
        if (v->prose && bound && kinds & K_TAG && !close && ph_named_tag(p, n, i, &used)) {
            ph_once(v, PH_S_XSS, &seen, X_PLAIN, 30, "markup", at);
        } else if (close && at == 1 && bound && !v->prose && v->where != PH_W_JSON && ph_ends_outer(p, n, name, i - name)) {
            ph_once(v, PH_S_XSS, &seen, X_CLOSE, 60, "element-break", at);
        } else if (bound && kinds & K_TAG) {
            ph_once(v, PH_S_XSS, &seen, close ? X_CLOSE : X_TAG, close && p[name] != 's' ? 40 : 70, "active-tag", at);
        } else if (ph_at(p, n, name, "script") || ph_at(p, n, name, "xi:include") || ph_at(p, n, name, "iframe")) {
            ph_once(v, PH_S_XSS, &seen, X_TAG, 60, "active-tag", at);
        } else if (ph_at(p, n, name, "jsp:")) {
            ph_add(v, PH_S_CODE, 60, "server-page", at);
        } else if (ph_at(p, n, name, "esi:") || ph_at(p, n, name, "#")) {
            ph_add(v, PH_S_SHELL, 60, "edge-side-include", at);
        } else if (bound && !close && ((ph_at(p, n, name, "html") && ph_at(p, n, i + 1, "xmlns:")) || (ph_at(p, n, name, "template")
                   && ph_at(p, n, i + 1, "match=")))) {
            ph_once(v, PH_S_XSS, &seen, X_TAG, 60, "active-tag", at);
        } else if (bound && i - name == 4 && (ph_at(p, n, name, "body") || ph_at(p, n, name, "html") || ph_at(p, n, name, "head"))) {
            unsigned whole = v->where == PH_W_QUERY && !v->prose ? 60 : close ? 20 : 30;     /* nobody sends a page as a query */
            ph_once(v, PH_S_XSS, &seen, p[name + 1] == 't' ? X_DOC : X_PLAIN, whole, "document", at);
        } else if (!close && v->where == PH_W_QUERY && !v->prose && ph_drawn(p, n, name, i)) {
            ph_once(v, PH_S_XSS, &seen, X_TAG, 60, "drawing", at);
        } else if (bound && kinds & K_MARKUP) {
            ph_once(v, PH_S_XSS, &seen, X_PLAIN, close ? 20 : 30, "markup", at);
        } else if (!close && bound) {
            ph_once(v, PH_S_XSS, &seen, X_WEAK, 10, "markup", at);
        }
        if (ph_at(p, n, name, "xi:include") || ph_at(p, n, name, "xsl:") || (!close && (ph_at(p, n, name, "xs:i") || ph_at(p, n, name, "xsd:i"))
                && memmem(p + i, n - i < 128 ? n - i : 128, "schemalocation", 14))) {
            ph_add(v, PH_S_XXE, 70, "xinclude", at);
        }
        if (bound && !close && kinds & K_MARKUP && v->where == PH_W_QUERY && !v->prose && !ph_at(p, n, 0, "<?xml")
            && ph_laid_out(p, n, name, i)) {  /* a part of a page, which a form's text may hold; a query is no text */
            ph_once(v, PH_S_XSS, &seen, X_PLAIN, 60, "page", at);
        }
        if (!close) {
            i = ph_attributes(words, p, n, i, v, &seen);
        } else if (ph_at(p, n, name, "on") && i - name > 4 && i < n && p[i] == '=') {
            ph_once(v, PH_S_XSS, &seen, X_EVENT, 60, "event-handler", name);
        }
    }
}
#endif
