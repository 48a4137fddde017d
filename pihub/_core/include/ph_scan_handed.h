/* Functions of a script that are handed over instead of called, members whose names are put together, and what only
 * scripts ask of a page: their use without a call of their own.
 */
#ifndef PH_SCAN_HANDED_H
#define PH_SCAN_HANDED_H

#include "ph_scan_break.h"

/* What calls what it is given (ECMAScript, Array, Promise, String; HTML, timers and events). */
static int ph_caller(const ph_lexer *x, const ph_tok *t) {
    return ph_is_any(x, t, "map find some every foreach filter reduce reduceright sort tosorted findindex findlast findlastindex flatmap "
        "then catch finally replace replaceall from queuemicrotask requestanimationframe requestidlecallback promise settimeout "
        "setinterval setimmediate addeventlistener attachevent defineproperty call apply bind construct assign");
}

/* The function at t[i] is given to what calls it: [1].map(f), x.replace(/a/,f), or stands where an operator calls it: valueOf:f,
 * {get:f}, [Symbol.hasInstance]=f, class extends f. */
static int ph_handed(const ph_lexer *x, const ph_tok *t, int i) {
    uint8_t b = t[i - 1].type, after = t[i + 1].type;
    if (b == TK_WORD) {
        return after == '{' && ph_is(x, &t[i - 1], "extends");
    }
    if (b == ':' || b == '=') {
        const ph_tok *name = &t[i - (i > 2 && t[i - 2].type == ']' ? 3 : 2)];
        return ph_is_any(x, name, "valueof tostring hasinstance toprimitive get set then") && !(t[i].flags & F_SPACE)
            && (after == '}' || after == ';' || after == ',');
    }
    if ((b != '(' && b != ',') || (after != ')' && after != ',')) {
        return 0;
    }
    for (int k = i - 1, deep = 0; k > 0 && k > i - 14; k--) {
        deep += t[k].type == ')' ? 1 : t[k].type == '(' ? -1 : 0;
        if (deep < 0) {
            return !(t[k].flags & F_SPACE) && ph_caller(x, &t[k - 1]);
        }
    }
    return 0;
}

/* self[a+b], top[x](1), parent[y.z]: a member of what sees everything, by more than its name. i: the bracket. */
static int ph_computed(const ph_tok *t, int i) {
    uint8_t m = t[i + 1].type;
    if (ph_quote(m) || m == '(' || m == '/' || m == '[' || m == '!') {
        return 1;
    }
    int end = i + 1;
    while (end < i + 16 && t[end].type != ']' && t[end].type != TK_END) {
        end++;
    }
    uint8_t after = t[end].type == ']' && !(t[end + 1].flags & F_SPACE) ? t[end + 1].type : 0;
    int used = after == '(' || after == '`' || (after == '?' && t[end + 2].type == '.') || (after == '=' && t[end + 2].type != '=')
        || (after == '.' && t[end + 3].type == '(');
    int built = end > i + 2 && m <= TK_NUM && !(t[i + 1].flags & F_SPACE) && !(t[i + 2].flags & F_SPACE)
        && t[i + 2].type > TK_CMT && strchr(".(+[`", t[i + 2].type);
    return used || built;
}

/* Interfaces of browsers whose names no text holds before a full stop and a call: navigator.clipboard.readText() */
static int ph_browser_call(const ph_lexer *x, const ph_tok *t, int i) {
    const ph_tok *m = &t[i + 2];
    if (t[i + 1].type != '.' || m->type != TK_WORD || (t[i + 1].flags | m->flags) & F_SPACE) {
        return 0;
    }
    if (ph_is(x, &t[i], "object")) {
        return (ph_is_any(x, m, "defineproperty defineproperties setprototypeof assign fromentries getownpropertynames "
            "getownpropertydescriptor getprototypeof") && t[i + 3].type == '(')
            || (ph_is(x, m, "prototype") && (t[i + 3].type == '.' || t[i + 3].type == '['));
    }
    if (ph_is(x, &t[i], "navigator")) {
        return t[i + 3].type == '.' && t[i + 5].type == '(' && ph_is_any(x, m, "clipboard credentials geolocation mediadevices serviceworker "
            "storage permissions locks usb bluetooth");
    }
    return ph_is_any(x, &t[i], "indexeddb cookiestore") && t[i + 3].type == '(';
}
#endif
