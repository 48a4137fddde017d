/* The attributes of a tag: what loads, navigates, runs, or hides that it does.
 *
 * Which attributes hold a URL or a script: HTML standard, index of attributes; what browsers read them as: URL
 * standard, host parser; CSS Syntax for the style of one element, which needs no braces.
 */
#ifndef PH_SCAN_ATTR_H
#define PH_SCAN_ATTR_H

#include "ph_scan_lex.h"

enum { X_TAG, X_PLAIN, X_EVENT, X_URL, X_STYLE, X_CLOSE, X_DECL, X_SINK, X_OBJ, X_FUCK, X_BREAK, X_ARROW, X_WEAK, X_DOC, X_OPEN };

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

/* "JavaScript: The Good Parts": behind the scheme's colon at p[i] stand words, and nothing that calls or assigns. */
static int ph_titled(const uint8_t *p, size_t n, size_t i) {
    size_t end = n < i + 80 ? n : i + 80;
    if (i + 2 >= n || p[i] != ':' || p[i + 1] != ' ' || !ph_lower(p[i + 2])) {
        return 0;
    }
    for (size_t k = i + 2; k < end; k++) {
        if (p[k] >= 0x80 || (!ph_alnum(p[k]) && !memchr(" ,.:'!?-#", p[k], 9))) {
            return 0;
        }
    }
    return memchr(p + i + 2, ' ', end - i - 2) != NULL;
}

/* Whether an IPv4 address in usual notation is a public one. p[i] is its first digit. */
static int ph_public_host(const uint8_t *p, size_t n, size_t i) {
    unsigned part[4] = {0}, k = 0;
    for (; i < n && k < 4 && (ph_digit(p[i]) || p[i] == '.'); i++) {
        k += p[i] == '.';
        if (p[i] != '.' && k < 4) {
            part[k] = part[k] * 10 + p[i] - '0';
            if (part[k] > 255) {
                return 0;
            }
        }
    }
    return k == 3 && (i >= n || !ph_lower(p[i])) && part[0] && part[0] != 10 && part[0] != 127 && !(part[0] == 192 && part[1] == 168)
        && !(part[0] == 172 && (part[1] & 0xF0) == 16) && !(part[0] == 169 && part[1] == 254);
}

/* Points for a URL at p[i] whose host is a number: in disguise (http://0x42.0x66, http://0102.0146, http://1113982867), or
 * a public address, which links of honest pages seldom are. */
static unsigned ph_odd_host(const uint8_t *p, size_t n, size_t i) {
    size_t end = n < i + 12 ? n : i + 12;
    while (i + 1 < end && !(p[i] == '/' && p[i + 1] == '/')) {
        i++;
    }
    if (i + 3 >= n || p[i] != '/' || !ph_digit(p[i + 2])) {
        return 0;
    }
    size_t digits = i + 2;
    while (digits < n && digits < i + 14 && ph_digit(p[digits])) {
        digits++;
    }
    int whole = digits - i - 2 >= 8 && (digits >= n || !(ph_lower(p[digits]) || p[digits] == '.' || p[digits] == '-'));
    return whole || (p[i + 2] == '0' && (p[i + 3] == 'x' || ph_digit(p[i + 3]))) ? 40 : ph_public_host(p, n, i + 2) ? 30 : 0;
}

/* What stands at p[i], behind a `<`, is a tag that is active by itself. */
static int ph_opens(const ph_words *words, const uint8_t *p, size_t n, size_t i) {
    i += i < n && p[i] == '/';
    size_t name = i;
    while (i < n && i < name + 16 && ph_alnum(p[i])) {
        i++;
    }
    return i > name && i < n && (p[i] == '>' || p[i] == '/' || ph_space(p[i])) && ph_word_kinds(words, p + name, i - name) & K_TAG;
}

/* An attribute that runs or loads whatever its value is: those of frameworks too, whose values are code. */
static int ph_active_name(const uint8_t *p, size_t n, size_t i, size_t len) {
    static const char *const words[] = {"srcdoc", "formaction", "xlink:href", "dataf", "datasrc", "dataformatas", "v-", "ng-",
        "autofocus", "attributename", "manifest", "data-ng-", "data-bind", "x-data", "x-init", "x-html", "x-on", "x-bind", "x-effect", "x-if",
        "x-for", "x-show", "x-text", "hx-", "data-hx-"};
    if (i > 1 && (p[i - 1] == '@' || p[i - 1] == ':') && (ph_space(p[i - 2]) || p[i - 2] == '/' || ph_quote(p[i - 2]))) {
        return 1;                                         /* @click, :is */
    }
    uint8_t c = p[i];
    if (c != 's' && c != 'f' && c != 'x' && c != 'd' && c != 'v' && c != 'n' && c != 'a' && c != 'm' && c != 'h' && c != 'p') {
        return 0;
    }
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        if (c == (uint8_t)words[k][0] && ph_at(p, n, i, words[k])) {
            return 1;
        }
    }
    return len == 4 && ph_at(p, n, i, "ping");
}

/* Whether an attribute's value is an address that is loaded, sent to or gone to. */
static int ph_addressed(const uint8_t *p, size_t n, size_t i, size_t len) {
    static const char *const words[] = {"src", "href", "action", "background", "poster", "data", "codebase", "content",
        "longdesc", "lowsrc", "dynsrc", "formaction", "classid", "archive"};
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        if (p[i] == (uint8_t)words[k][0] && ph_at(p, n, i, words[k]) && strlen(words[k]) == len) {
            return 1;
        }
    }
    return 0;
}

/* An absolute URL at p[i] in the text up to `end`, whose path names a program that takes arguments: an image of that kind
 * sends a request in the name of who looks at it. */
static int ph_calls_program(const uint8_t *p, size_t i, size_t end) {
    const uint8_t *mark = (const uint8_t *)memchr(p + i, '?', end - i);
    size_t at = mark ? (size_t)(mark - p) : 0;
    return mark && at > i + 12 && (ph_at(p, end, i, "http") || ph_at(p, end, i, "//"))
        && (ph_at(p, at, at - 4, ".php") || ph_at(p, at, at - 4, ".asp") || ph_at(p, at, at - 5, ".aspx") || ph_at(p, at, at - 4, ".cgi")
            || ph_at(p, at, at - 4, ".jsp") || ph_at(p, at, at - 3, ".do"));
}

/* What no style of one element needs: rules of a sheet, escapes and comments, which hide a word. */
static int ph_odd_style(const uint8_t *p, size_t n, size_t i) {
    return p[i] == '{' || p[i] == '}' || (p[i] == '\\' && i + 1 < n && ph_alnum(p[i + 1])) || (p[i] == '/' && i + 1 < n && p[i + 1] == '*');
}

/* In a string inside of a style: marks that end a declaration, where a reader that has lost count of strings goes on.
 * Names of fonts have none. */
static int ph_odd_string(uint8_t c) { return c == ';' || c == '[' || c == ']' || c == '<' || c == '\n' || c == '\r' || c == '\f'; }

/* The value of the attribute p[name], `len` long, from p[i] on. Returns where it ends. */
static size_t ph_attribute(const ph_words *words, const uint8_t *p, size_t n, size_t name, size_t len, size_t i, ph_verdict *v,
    uint64_t *seen) {
    if (ph_script_url(p, n, i)) {
        ph_once(v, PH_S_XSS, seen, X_URL, 80, "script-url", i);
    }
    uint8_t c = p[name];
    if (c == 'x' && (ph_at(p, n, name, "xsi:schemalocation") || ph_at(p, n, name, "xsi:nonamespace"))) {
        ph_add(v, PH_S_XXE, v->where == PH_W_JSON ? 30 : 60, "schema-location", name);
    }
    if (c == 't' && len == 4 && ph_at(p, n, name, "type") && (ph_at(p, n, i, "password") || ph_at(p, n, i + 1, "password"))) {
        ph_once(v, PH_S_XSS, seen, X_STYLE, 60, "password-field", name);
    }
    if (ph_active_name(p, n, name, len)) {
        ph_once(v, PH_S_XSS, seen, X_STYLE, 60, "active-attribute", name);
    }
    unsigned odd = ph_odd_host(p, n, i);
    if (odd) {
        ph_once(v, PH_S_XSS, seen, X_URL, odd, "numeric-host", i);
    }
    int style = (c == 's' || c == 'f') && (ph_at(p, n, name, "style") || ph_at(p, n, name, "fo"));
    uint8_t q = i < n && ph_quote(p[i]) ? p[i] : 0;
    i += q != 0;
    size_t start = i;
    uint8_t inner = 0;
    if (style && c == 's' && len == 5 && i < n && (p[i] == '[' || p[i] == '(' || p[i] == ':')) {
        ph_once(v, PH_S_XSS, seen, X_STYLE, 50, "odd-style", i);
    }
    while (i < n && (q ? p[i] != q : p[i] != '>' && !ph_space(p[i]))) {
        if (style && p[i] == '(' && i - start >= 3 && (ph_at(p, n, i - 3, "url") || ph_at(p, n, i - 3, "ion"))) {
            ph_once(v, PH_S_XSS, seen, X_STYLE, 60, "active-style", i);
        }
        if (style && (ph_at(p, n, i, "-moz-binding") || ph_at(p, n, i, "behavior") || ph_at(p, n, i, "expression") || ph_at(p, n, i, "@import"))) {
            ph_once(v, PH_S_XSS, seen, X_STYLE, 60, "active-style", i);
        }
        if (style && ph_quote(p[i]) && q && (!inner || inner == p[i])) {
            inner = inner ? 0 : p[i];
        }
        if (style && len == 5 && (ph_odd_style(p, n, i) || (inner && ph_odd_string(p[i])))) {
            ph_once(v, PH_S_XSS, seen, X_STYLE, 50, "odd-style", i);
        }
        if (p[i] == '<') {
            if (!q || i - start > 4096) {
                return i;
            }
            if (!v->prose && ph_opens(words, p, n, i + 1)) {  /* a quote that some readers end here */
                ph_once(v, PH_S_XSS, seen, X_TAG, 70, "active-tag", i + 1);
            }
        }
        i++;
    }
    if (ph_addressed(p, n, name, len)) {
        if (q && i >= n && !v->prose && (ph_at(p, n, start, "//") || ph_at(p, n, start, "http"))) {
            ph_once(v, PH_S_XSS, seen, X_OPEN, 40, "open-quote", start);   /* the page up to its next quote goes there */
        } else if (v->where == PH_W_QUERY && !v->prose && (ph_at(p, n, start, "//") || ph_at(p, n, start, "http://") || ph_at(p, n, start, "https://"))) {
            ph_once(v, PH_S_XSS, seen, X_OPEN, 30, "outside-address", start);  /* a form's text may link; a query is no text */
        } else if ((c == 's' && ph_calls_program(p, start, i)) || (c == 'a' && len == 6 && (ph_at(p, n, start, "//") || ph_at(p, n, start, "http")))) {
            ph_once(v, PH_S_XSS, seen, X_OPEN, 30, "forged-request", start);
        }
    }
    return i + (q && i < n);
}

/* The attributes of a tag from p[i] on. Returns where it ends. */
static size_t ph_attributes(const ph_words *words, const uint8_t *p, size_t n, size_t i, ph_verdict *v, uint64_t *seen) {
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
        int handler = len > 4 && p[name] == 'o' && p[name + 1] == 'n';
        while (j < n && (ph_space(p[j]) || p[j] < 32 || (handler && p[j] == '/'))) {
            j++;
        }
        if (handler && (j >= n || p[j] == '=')) {
            ph_once(v, PH_S_XSS, seen, X_EVENT, j < n ? 80 : 40, "event-handler", name);
        }
        if (j < n && p[j] == '=') {
            i = j + 1;
            while (i < n && (ph_space(p[i]) || p[i] < 32)) {
                i++;
            }
            i = ph_attribute(words, p, n, name, len, i, v, seen);
        } else if (len == 9 && ph_at(p, n, name, "autofocus")) {
            ph_once(v, PH_S_XSS, seen, X_STYLE, 30, "active-attribute", name);
        } else if (len > 5 && (ph_at(p, n, name, "ng-") || ph_at(p, n, name, "x-data") || ph_at(p, n, name, "v-cloak"))) {
            ph_once(v, PH_S_XSS, seen, X_STYLE, 60, "active-attribute", name);
        }
    }
    return i;
}
#endif
