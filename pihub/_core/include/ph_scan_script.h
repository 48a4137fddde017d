/* Cross-site scripting without markup: script in whatever context an injection has broken into. */
#ifndef PH_SCAN_SCRIPT_H
#define PH_SCAN_SCRIPT_H

#include "ph_scan_handed.h"
#include "ph_scan_html.h"

/* What a page knows of itself and others can choose: a script that takes it, runs it or goes there. */
static int ph_chosen(const ph_lexer *x, const ph_tok *t) {
    return t->kinds & K_OBJ || ph_is_any(x, t, "name url hash textcontent innertext id");
}

/* Points for an object's member t[i].t[i + 2]. */
static unsigned ph_script_member(const ph_lexer *x, const ph_tok *t, int i, const ph_verdict *v) {
    const ph_tok *m = &t[i + 2];
    if (ph_is(x, &t[i], "history")) {
        return ph_is_any(x, m, "pushstate replacestate") && t[i + 3].type == '(' && !v->prose ? 60 : 0;
    }
    if (!ph_is_any(x, m, "fromcharcode fromcodepoint getitem setitem apply href hash search assign replace raw sendbeacon")) {
        return 0;
    }
    if (!ph_is(x, &t[i], "location")) {
        return 60;
    }
    int goes = t[i + 3].type == '=' || t[i + 3].type == '(';
    int sure = goes && (ph_quote(t[i + 4].type) || (t[i + 3].type == '=' && t[i + 4].type == '/')
        || (!v->prose && t[i + 3].type == '(' && t[i + 5].type == ')' && ph_is_any(x, m, "assign replace"))
        || (!v->prose && ph_chosen(x, &t[i + 4])) || (!v->prose && ph_breaks(t, i)));
    sure |= i > 1 && !v->prose && t[i - 1].type == '(' && t[i - 2].type == '$' && t[i + 3].type == ')';     /* $(location.hash) */
    return sure ? 60 : 40;
}

/* Points for a value that is given to location, innerhtml, outerhtml at t[i]. */
static unsigned ph_script_assigned(const ph_lexer *x, const ph_tok *t, int i, const ph_verdict *v) {
    if (ph_quote(t[i + 2].type)) {                          /* location="Berlin" asks for a town */
        int named = t[i + 3].type == TK_WORD && t[i + 4].type == t[i + 2].type && t[i + 5].type == TK_END;
        return named && (i == 0 || t[i].flags & F_SPACE) && !(t[i + 3].kinds & (K_SCHEME | K_OBJ)) ? 30 : 60;
    }
    if (i && !v->prose && (ph_breaks(t, i) || (ph_chosen(x, &t[i + 2]) && ph_one_of(t[i - 1].type, ";,{[(:>=")))) {
        return 60;
    }
    if (i == 0 && !v->prose && ph_chosen(x, &t[2]) && (ph_is_any(x, &t[0], "innerhtml outerhtml") || (t[3].type == '.' && t[4].type == TK_WORD))) {
        return 60;
    }
    return i && t[i - 1].type == '.' ? 60 : 20;
}

/* Script at token i, in any context. */
static void ph_script(const ph_lexer *x, const ph_tok *t, int i, uint64_t *seen, ph_verdict *v) {
    uint32_t k = t[i].kinds;
    uint8_t c = t[i].type, after = t[i + 1].type;
    if (c == '[' && after == ']' && !(t[i].flags & F_SPACE)) {
        uint8_t b = i ? t[i - 1].type : 0;                /* ![], +[], ~[]: a value that an operator makes of nothing */
        int made = (b == '!' || b == '+' || b == '~') && (t[i + 2].type == TK_END || ph_one_of(t[i + 2].type, "+])[;,}"));
        *seen += (uint64_t)(b == '~' && made && i > 1 && t[i - 2].type == '=' ? 8 : 1 + made) << 40;
        if (*seen >> 40 >= 8) {
            ph_once(v, PH_S_XSS, seen, X_FUCK, 60, "symbols-only-script", t[i].at);
        }
        return;
    }
    if (c == '@' && ph_is(x, &t[i + 1], "import") && (ph_quote(t[i + 2].type) || ph_is(x, &t[i + 2], "url"))) {
        int outside = ph_outside(x, t, i + 2 + 2 * (t[i + 3].type == '('));
        ph_once(v, PH_S_XSS, seen, X_STYLE, outside && !v->prose ? 60 : 40, "style-import", t[i].at);
    } else if (c == '!' && ph_is(x, &t[i + 1], "entity")) {
        int j = i + 2;
        while (j < i + 8 && t[j].type != TK_END && !ph_is_any(x, &t[j], "system public")) {
            j++;
        }
        if (ph_is_any(x, &t[j], "system public")) {
            ph_once(v, PH_S_XXE, seen, X_DECL, 70, "entity", t[i].at);
        }
    }
    if (c != TK_WORD) {
        ph_break(x, t, i, seen, v);
        return;
    }
    const uint8_t *w = x->p + t[i].at;
    if (w[0] == 'o' && w[1] == 'n' && t[i].len > 4 && after == '=' && t[i + 2].type != '=') {
        uint8_t b = i ? t[i - 1].type : 0;
        int code = t[i + 2].kinds & (K_SINK | K_OBJ) || t[i + 3].type == '(' || t[i + 4].type == '('
            || t[i + 3].kinds & K_SINK || t[i + 2].type == '(' || t[i + 3].type == '`' || t[i + 2].type == '{';
        int edge = ph_quote(b) || b == '/' || b == '>' || b == '\\' || t[i].flags & (F_SPACE | F_FIRST);
        int known = ph_handles(x, &t[i]);
        if (code || (edge && ph_quote(b))) {
            ph_once(v, PH_S_XSS, seen, X_EVENT, code ? 70 : known && !v->prose ? 60 : 50, "event-handler", t[i].at);
        } else if (known && edge && i > 2 && t[i - 2].type == '=' && t[i - 3].type == TK_WORD && !(t[i - 2].flags & F_SPACE)) {   /* src=x onerror=y */
            ph_once(v, PH_S_XSS, seen, X_EVENT, 60, "event-handler", t[i].at);
        } else if (known && !v->prose && (edge || b == '/') && ph_left_string(t, i)) {     /* " autofocus onfocus=x */
            ph_once(v, PH_S_XSS, seen, X_EVENT, 60, "event-handler", t[i].at);
        } else if (edge && t[i].flags & F_SPACE) {
            ph_once(v, PH_S_XSS, seen, X_WEAK, known && !v->prose ? 40 : 20, "event-handler", t[i].at);
        }
    }
    if (v->prose && k & K_SINK && ((after == '`' && (t[i + 1].flags & F_SPACE || (i && t[i - 1].type == '`')))
            || (after == '(' && (t[i + 2].type == ')' || ph_is(x, &t[i + 2], "s"))))) {
        return;                                           /* a method called eval(), the `prompt` that it gives */
    }
    if (k & K_SINK && i == 0 && after == '(' && ph_quote(t[2].type) && !v->prose && ph_is_any(x, &t[0], "atob fetch import importscripts")) {
        ph_once(v, PH_S_XSS, seen, X_SINK, 60, "script-call", t[i].at);
    }
    if (k & K_SINK) {
        int loud = ph_is_any(x, &t[i], "alert prompt confirm eval settimeout setinterval msgbox execscript setimmediate expression "
            "getscript globaleval createobjecturl");
        if (after == '(' && !(t[i + 1].flags & F_SPACE && t[i + 2].flags & F_SPACE)) {
            int spaced = t[i + 1].flags & F_SPACE && !(t[i + 1].flags & F_COMMENT);
            int sure = loud || (!v->prose && (ph_breaks(t, i) || (ph_is_any(x, &t[i], "import fetch importscripts")
                && (ph_outside(x, t, i + 2) || (t[i + 2].kinds & (K_SINK | K_OBJ) && ph_one_of(t[i + 3].type, "(.[`"))))));
            ph_once(v, PH_S_XSS, seen, X_SINK, sure && !spaced ? 60 : ph_is_any(x, &t[i], "print fetch write") ? 20 : 30,
                "script-call", t[i].at);
        } else if (ph_quote(after) && !v->prose && ph_is(x, &t[i], "import") && ph_outside(x, t, i + 1)) {
            ph_once(v, PH_S_XSS, seen, X_SINK, 60, "script-call", t[i].at);
        } else if (after == '`' || (after == '.' && ph_is_any(x, &t[i + 2], "call apply bind"))
                   || (loud && after == ')' && t[i + 2].type == '(') || (loud && after == '?' && t[i + 2].type == '.')) {
            ph_once(v, PH_S_XSS, seen, X_SINK, loud ? 60 : 30, "script-call", t[i].at);
        } else if (loud && i > 1 && !v->prose && ph_handed(x, t, i)) {
            ph_once(v, PH_S_XSS, seen, X_SINK, 60, "script-handed", t[i].at);
        } else if (loud && i && t[i - 1].type == '=' && (after == ',' || after == ';') && t[i + 2].type == TK_WORD
                   && (t[i + 3].type == '(' || t[i + 3].type == '`')) {
            ph_once(v, PH_S_XSS, seen, X_SINK, 60, "script-alias", t[i].at);
        } else if (loud && i && (t[i - 1].type == '=' || t[i - 1].type == ',') && i > 1
                   && (after == ';' || after == ',' || after == ')' || after == '}')) {
            ph_once(v, PH_S_XSS, seen, X_ARROW, 40, "script-alias", t[i].at);
        } else if (loud && i && ph_quote(t[i - 1].type) && ph_quote(after) && i > 1
                   && (t[i - 2].type == '[' || t[i - 2].type == '(')) {
            ph_once(v, PH_S_XSS, seen, X_SINK, 50, "script-call", t[i].at);
        }
    }
    if (k & K_SINK && i > 1 && t[i - 1].type == '{' && t[i - 2].type == '$' && after == '}') {
        ph_once(v, PH_S_XSS, seen, X_SINK, 60, "script-call", t[i].at);
    }
    if (!(k & K_OBJ)) {
        return;
    }
    if (ph_is(x, &t[i], "insertadjacenthtml") && i && t[i - 1].type == '.' && after == '(') {
        ph_once(v, PH_S_XSS, seen, X_SINK, v->prose ? 30 : 60, "script-call", t[i].at);
    } else if (ph_is_any(x, &t[i], "call apply") && i && t[i - 1].type == '.' && after == '`') {
        ph_once(v, PH_S_XSS, seen, X_SINK, 60, "script-call", t[i].at);
    } else if (ph_is(x, &t[i], "binding") && i > 1 && ph_is(x, &t[i - 2], "moz")) {
        ph_once(v, PH_S_XSS, seen, X_STYLE, 60, "active-style", t[i].at);
    }
    const ph_tok *m = &t[i + 2];
    if (ph_is(x, &t[i], "javascript") && i > 1 && t[i - 1].type == '(' && ph_is(x, &t[i - 2], "url")) {
        ph_once(v, PH_S_XSS, seen, X_URL, 70, "script-url", t[i].at);
    } else if (ph_is(x, &t[i], "navigator") && after == '.' && m->type == TK_WORD && t[i + 3].type == '(' && !v->prose) {
        ph_once(v, PH_S_XSS, seen, X_OBJ, 60, "script-object", t[i].at);
    } else if (ph_is_any(x, &t[i], "javascript vbscript livescript") && (after == ':' || (after == '&' && ph_is(x, m, "colon")))) {
        ph_once(v, PH_S_XSS, seen, X_URL, ph_titled(x->p, x->n, t[i + 1].at) ? 20 : 60, "script-url", t[i].at);
    } else if (ph_is(x, &t[i], "document") && after == ')' && i > 1 && t[i - 1].type == '(' && ph_is(x, &t[i - 2], "with") && !v->prose) {
        ph_once(v, PH_S_XSS, seen, X_OBJ, 60, "document", t[i].at);
    } else if (ph_is(x, &t[i], "document") && after == '.' && m->type == TK_WORD && !v->prose && v->where != PH_W_PATH
               && (t[i + 3].type == '(' || t[i + 3].type == '`' || (t[i + 3].type == '.' && (t[i + 5].type == '(' || t[i + 5].type == '='))
               || (t[i + 3].type == '[' && ph_is_any(x, m, "forms scripts all anchors embeds images links applets plugins stylesheets")))) {
        ph_once(v, PH_S_XSS, seen, X_OBJ, 60, "document", t[i].at);
    } else if (ph_is(x, &t[i], "document") && after == '.') {
        ph_once(v, PH_S_XSS, seen, X_OBJ, v->where == PH_W_PATH ? 40 : ph_is_any(x, m, "cookie domain write writeln location body url "
            "documenturi baseuri referrer getelementbyid queryselector createelement documentelement defaultview") ? 60 : 20,
            "document", t[i].at);
    } else if (after == '[' && !(v->prose && t[i + 1].flags & F_SPACE) && ph_is_any(x, &t[i], "window self top parent frames globalthis this document location "
                                           "navigation opener localstorage sessionstorage")) {
        int code = v->prose ? ph_quote(m->type) || m->type == '(' || m->type == '/' : ph_computed(t, i + 1);
        ph_once(v, PH_S_XSS, seen, X_OBJ, code ? 60 : m->type == TK_WORD ? 40 : 20, "computed-member", t[i].at);
    } else if (!v->prose && v->where != PH_W_JSON && ph_browser_call(x, t, i)) {
        ph_once(v, PH_S_XSS, seen, X_OBJ, 60, "script-object", t[i].at);
    } else if (after == '.' && ph_is_any(x, &t[i], "window self top parent frames globalthis this opener")) {
        int handler = ph_handles(x, m) && t[i + 3].type == '=' && t[i + 4].type != '=';
        ph_once(v, PH_S_XSS, seen, X_OBJ, handler || m->kinds & (K_SINK | K_OBJ) || ph_is_any(x, m, "open name onerror onload postmessage addeventlistener") ? 60
            : 0, "global-member", t[i].at);
    } else if (after == '.' && ph_is_any(x, &t[i], "string localstorage sessionstorage reflect location navigator history")) {
        ph_once(v, PH_S_XSS, seen, X_OBJ, ph_script_member(x, t, i, v), "script-object", t[i].at);
    } else if (after == '=' && ph_is_any(x, &t[i], "location innerhtml outerhtml")) {
        ph_once(v, PH_S_XSS, seen, X_OBJ, ph_script_assigned(x, t, i, v), "assignment", t[i].at);
    } else if (ph_is(x, &t[i], "constructor") && (after == '(' || after == '.' || after == '[' || ph_quote(after))
               && i && (t[i - 1].type == '.' || ph_quote(t[i - 1].type)) && !(v->prose && t[i].flags & F_SPACE)) {
        ph_once(v, PH_S_XSS, seen, X_OBJ, 60, "constructor", t[i].at);
    } else if (ph_is(x, &t[i], "function") && after == '(' && i && ph_is(x, &t[i - 1], "new")
               && !(v->prose && t[i + 1].flags & F_SPACE)) {
        int said = t[i + 1].flags & F_SPACE && m->type == TK_WORD && !m->kinds && t[i + 3].type == ')' && t[i + 4].type == TK_END;
        ph_once(v, PH_S_XSS, seen, X_OBJ, said ? 30 : 60, "new-function", t[i].at);
    } else if (ph_is(x, &t[i], "function") && after == '`' && i && ph_is(x, &t[i - 1], "new") && !v->prose) {
        ph_once(v, PH_S_XSS, seen, X_OBJ, 60, "new-function", t[i].at);
    } else if (ph_is(x, &t[i], "function") && after == '(' && m->type == ')' && t[i + 3].type == '{' && i && !v->prose
               && ph_one_of(t[i - 1].type, "(!+-~") && (i == 1 || ph_one_of(t[i - 2].type, "!;=,'\"}{[+-|&?:"))) {
        ph_once(v, PH_S_XSS, seen, X_OBJ, 60, "script-function", t[i].at);
    } else if (ph_is_any(x, &t[i], "websocket eventsource sharedworker domparser rtcpeerconnection worker") && after == '(' && i && ph_is(x, &t[i - 1], "new") && !v->prose) {
        ph_once(v, PH_S_XSS, seen, X_OBJ, 60, "script-object", t[i].at);
    } else if (ph_is(x, &t[i], "serviceworker") && after == '.' && t[i + 3].type == '(' && !v->prose) {
        ph_once(v, PH_S_XSS, seen, X_OBJ, 60, "script-object", t[i].at);
    } else if (ph_is(x, &t[i], "function") && after == '(' && ph_quote(m->type) && !(t[i + 1].flags & F_SPACE)) {
        ph_once(v, PH_S_XSS, seen, X_OBJ, 60, "new-function", t[i].at);
    } else if (ph_is_any(x, &t[i], "xmlhttprequest")) {
        ph_once(v, PH_S_XSS, seen, X_OBJ, after == '(' && !v->prose ? 60 : 40, "script-object", t[i].at);
    }
}
#endif
