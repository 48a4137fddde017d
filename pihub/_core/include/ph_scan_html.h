/* Cross-site scripting: markup as an HTML tokenizer sees it, and script in whatever context.
 *
 * Tags, attributes and values as in the HTML standard, section 13.2.5; an injection may begin inside
 * of a tag or a quoted attribute, so event handlers count after any quote too. Formatting alone
 * (<b>, <p>) is no attack.
 */
#ifndef PH_SCAN_HTML_H
#define PH_SCAN_HTML_H

#include "ph_scan_lex.h"

/* A script URL from p[i] on: white space and controls inside are dropped, as browsers do. */
static int ph_script_url(const uint8_t *p, size_t n, size_t i) {
    static const char *const schemes[] = {"javascript:", "vbscript:", "livescript:", "data:text", "data:image/svg",
        "data:application", "data:;base64", "mhtml:", "mocha:", "data:,"};
    while (i < n && (p[i] <= ' ' || p[i] == '"' || p[i] == '\'' || p[i] == '`')) {
        i++;
    }
    if (i >= n || !(p[i] == 'j' || p[i] == 'v' || p[i] == 'l' || p[i] == 'd' || p[i] == 'm')) {
        return 0;
    }
    for (size_t s = 0; s < sizeof schemes / sizeof *schemes; s++) {
        const char *w = schemes[s];
        size_t k = i;
        while (*w && k < n && k < i + 48) {
            if (p[k] == (uint8_t)*w) {
                w++;
            } else if (p[k] > ' ' && p[k] != 0x7F) {
                break;
            }
            k++;
        }
        if (!*w) {
            return 1;
        }
    }
    return 0;
}

/* A URL at p[i] whose host is a number in disguise: http://0x42.0x66, http://0102.0146. */
static int ph_odd_host(const uint8_t *p, size_t n, size_t i) {
    i += i < n && ph_quote(p[i]);
    size_t end = n < i + 12 ? n : i + 12;
    while (i + 1 < end && !(p[i] == '/' && p[i + 1] == '/')) {
        i++;
    }
    return i + 3 < n && p[i] == '/' && p[i + 2] == '0' && (p[i + 3] == 'x' || ph_digit(p[i + 3]));
}

enum { X_TAG, X_PLAIN, X_EVENT, X_URL, X_STYLE, X_CLOSE, X_DECL, X_SINK, X_OBJ, X_FUCK, X_BREAK, X_ARROW, X_WEAK, X_DOC };

/* The attributes of a tag from p[i] on. Returns where it ends. */
static size_t ph_attributes(const uint8_t *p, size_t n, size_t i, ph_verdict *v, uint64_t *seen) {
    while (i < n && p[i] != '>') {
        if (p[i] == '<') {
            return i;
        }
        if (!ph_lower(p[i])) {
            i++;
            continue;
        }
        size_t name = i;
        while (i < n && (ph_alnum(p[i]) || p[i] == ':' || p[i] == '-' || p[i] == '_')) {
            i++;
        }
        size_t len = i - name, j = i;
        while (j < n && (ph_space(p[j]) || p[j] < 32)) {
            j++;
        }
        if (len > 4 && p[name] == 'o' && p[name + 1] == 'n' && (j >= n || p[j] == '=')) {
            ph_once(v, PH_S_XSS, seen, X_EVENT, j < n ? 80 : 40, "event-handler", name);
        }
        if (j >= n || p[j] != '=') {
            if (len == 9 && ph_at(p, n, name, "autofocus")) {
                ph_once(v, PH_S_XSS, seen, X_STYLE, 30, "active-attribute", name);
            }
            continue;
        }
        i = j + 1;
        while (i < n && (ph_space(p[i]) || p[i] < 32)) {
            i++;
        }
        if (ph_script_url(p, n, i)) {
            ph_once(v, PH_S_XSS, seen, X_URL, 80, "script-url", i);
        }
        if (ph_at(p, n, name, "xsi:schemalocation") || ph_at(p, n, name, "xsi:nonamespace")) {
            ph_add(v, PH_S_XXE, v->where == PH_W_JSON ? 30 : 60, "schema-location", name);
        }
        if (ph_at(p, n, name, "type") && len == 4 && (ph_at(p, n, i, "password") || ph_at(p, n, i + 1, "password"))) {
            ph_once(v, PH_S_XSS, seen, X_STYLE, 60, "password-field", name);
        }
        if (ph_odd_host(p, n, i)) {
            ph_once(v, PH_S_XSS, seen, X_URL, 40, "numeric-host", i);
        }
        uint8_t c = p[name];
        int style = (c == 's' || c == 'f') && (ph_at(p, n, name, "style") || ph_at(p, n, name, "fo"));
        int active = c == 's' || c == 'f' || c == 'x' || c == 'd' || c == 'v' || c == 'n' || c == 'a';
        if (active && (ph_at(p, n, name, "srcdoc") || ph_at(p, n, name, "formaction") || ph_at(p, n, name, "xlink:href")
            || ph_at(p, n, name, "dataf") || ph_at(p, n, name, "datasrc") || ph_at(p, n, name, "dataformatas")
            || ph_at(p, n, name, "v-") || ph_at(p, n, name, "ng-") || ph_at(p, n, name, "autofocus"))) {
            ph_once(v, PH_S_XSS, seen, X_STYLE, 60, "active-attribute", name);
        }
        uint8_t q = i < n && ph_quote(p[i]) ? p[i] : 0;
        i += q != 0;
        size_t start = i;
        while (i < n && (q ? p[i] != q : p[i] != '>' && !ph_space(p[i]))) {
            if (style && p[i] == '(' && i - start >= 3 && (ph_at(p, n, i - 3, "url") || ph_at(p, n, i - 3, "ion"))) {
                ph_once(v, PH_S_XSS, seen, X_STYLE, 60, "active-style", i);
            }
            if (style && (ph_at(p, n, i, "-moz-binding") || ph_at(p, n, i, "behavior") || ph_at(p, n, i, "expression") || ph_at(p, n, i, "@import"))) {
                ph_once(v, PH_S_XSS, seen, X_STYLE, 60, "active-style", i);
            }
            if (p[i] == '<' && (!q || i - start > 4096)) {
                return i;
            }
            i++;
        }
        i += q && i < n;
    }
    return i;
}

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

/* <object> and so on: a tag that a sentence only names. p[i] is behind its name. */
static int ph_named_tag(const uint8_t *p, size_t n, size_t i) {
    return i + 2 < n && p[i] == '>' && (memchr("`'\").,;: ", p[i + 1], 9) || p[i + 1] == '<') && !memmem(p + i, n - i, "</", 2)
        && !memchr(p + i, '(', n - i);
}

/* All markup of a value. */
static void ph_html(const ph_words *words, const uint8_t *p, size_t n, ph_verdict *v) {
    uint64_t seen = 0;
    size_t i = 0;
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
            } else if (ph_at(p, n, i, "!entity") || ph_at(p, n, i, "!attlist")) {
                ph_add(v, PH_S_XXE, 70, "entity", at);
            } else if (ph_at(p, n, i, "!doctype") || ph_at(p, n, i, "!element")) {
                size_t k = i + 8, end = n < i + 96 ? n : i + 96;
                while (k < end && p[k] != '[' && p[k] != '>' && !ph_at(p, n, k, "system") && !ph_at(p, n, k, "public")) {
                    k++;
                }
                ph_add(v, PH_S_XXE, k < end && p[k] != '>' ? 70 : 20, "doctype", at);
            }
            continue;
        }
        int close = p[i] == '/';
        i += (size_t)close;
        while (i < n && close && (p[i] == '/' || p[i] < ' ')) {
            i++;
        }
        if (close && i < n && p[i] == ' ' && p[i - 1] == '/' && i > at + 1) {
            i = ph_attributes(p, n, i, v, &seen);         /* <// style=x>: a tag to some readers */
            continue;
        }
        uint32_t h = PH_WORD_SEED;
        size_t name = i;
        if (i < n && !close && (ph_space(p[i]) || p[i] == '/' || p[i] == '\\')) {  /* filters that trim */
            while (i < n && i < name + 4 && (ph_space(p[i]) || p[i] == '/' || p[i] == '\\')) {
                i++;
            }
            name = i;
        }
        while (i < n && (ph_alnum(p[i]) || p[i] == '_')) {
            h = ph_word_step(h, p[i++]);
        }
        if (i == name || !ph_lower(p[name])) {
            continue;
        }
        uint32_t kinds = i - name < 32 ? ph_word_kinds(words, p + name, i - name, h) : 0;
        int bound = i >= n || p[i] == '>' || p[i] == '/' || ph_space(p[i]) || p[i] < 32 || p[i] == ':' || p[i] == '"'
            || p[i] == '\'' || p[i] == '\\' || p[i] == '<' || p[i] == '(' || p[i] == '=';
        if (v->prose && bound && kinds & K_TAG && !close && ph_named_tag(p, n, i)) {
            ph_once(v, PH_S_XSS, &seen, X_PLAIN, 30, "markup", at);
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
        } else if (bound && !close && (ph_at(p, n, name, "body") || ph_at(p, n, name, "html"))) {
            ph_once(v, PH_S_XSS, &seen, p[name] == 'h' ? X_DOC : X_PLAIN, 30, "document", at);
        } else if (bound && kinds & K_MARKUP) {
            ph_once(v, PH_S_XSS, &seen, X_PLAIN, close ? 20 : 30, "markup", at);
        } else if (!close && bound) {
            ph_once(v, PH_S_XSS, &seen, X_WEAK, 10, "markup", at);
        }
        if (ph_at(p, n, name, "xi:include") || ph_at(p, n, name, "xsl:")) {
            ph_add(v, PH_S_XXE, 70, "xinclude", at);
        }
        if (!close) {
            i = ph_attributes(p, n, i, v, &seen);
        } else if (ph_at(p, n, name, "on") && i - name > 4 && i < n && p[i] == '=') {
            ph_once(v, PH_S_XSS, &seen, X_EVENT, 60, "event-handler", name);
        }
    }
}
#endif
