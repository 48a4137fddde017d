/* Script that begins by ending what it was put into: a string, a call, an attribute, a comment, a rule of a sheet.
 *
 * What is foreign is told by what the value closes and never opened: a quote with an even number of its kind before
 * it, a bracket, a comment. Honest text closes what it opened. At most PH_AHEAD tokens forth or back.
 */
#ifndef PH_SCAN_BREAK_H
#define PH_SCAN_BREAK_H

#include "ph_scan_attr.h"

#define PH_BACK 24              /* tokens before a quote among which its opening is looked for */

/* Whether no quote before t[k] is open that it could close. */
static int ph_unmatched(const ph_tok *t, int k) {
    int before = 0;
    for (int j = k > PH_BACK ? k - PH_BACK : 0; j < k; j++) {
        before ^= t[j].type == t[k].type;
    }
    return !before;
}

/* A handler's name; those of browsers alone may be longer than any word that is looked up. */
static int ph_handles(const ph_lexer *x, const ph_tok *t) {
    return ph_role(x, t) & R_EVENT || (t->len > 12 && (ph_at(x->p, x->n, t->at, "onwebkit") || ph_at(x->p, x->n, t->at, "oncontentvisib")));
}

static inline int ph_one_of(uint8_t type, const char *marks) { return type > TK_CMT && strchr(marks, type) != NULL; }

/* Whether token i stands behind the end of a foreign string or call: ';i  "-i  ')});i  )i */
static int ph_breaks(const ph_tok *t, int i) {
    for (int k = i - 1; k >= 0 && k > i - 10; k--) {
        if (ph_quote(t[k].type)) {
            return i - k > 1 && ph_unmatched(t, k);
        }
        if (!ph_one_of(t[k].type, ";)}],:?-+*/%^|&=<>![({~\\")) {
            return t[k].type == TK_WORD && i - k > 1 && k > 1 && ph_one_of(t[k - 1].type, "-+^&|") && ph_quote(t[k - 2].type)
                && t[k + 1].type == '(' && ph_unmatched(t, k - 2);
        }
        if (k == 0) {
            return t[0].flags & F_FIRST && ph_one_of(t[0].type, ")}]");
        }
    }
    return 0;
}

/* A quote that nothing opened stands at most twelve tokens before t[i], and attributes between them: " autofocus x=y onfocus= */
static int ph_left_string(const ph_tok *t, int i) {
    for (int k = i - 1; k >= 0 && k > i - 12; k--) {
        if (ph_quote(t[k].type) && k < 3 && ph_unmatched(t, k)) {
            return t[k + 1].type == '/' || t[k + 1].type == '>' || t[k + 1].flags & F_SPACE;
        }
        if (t[k].type > TK_CMT && !ph_quote(t[k].type) && !ph_one_of(t[k].type, "/=>-")) {
            return 0;
        }
    }
    return 0;
}

/* What stands before t[i] has ended a foreign string or call, and then calls or assigns something. */
static int ph_ran(const ph_tok *t, int i) {
    int open = 0, acts = 0, k = i - 1;
    for (; k >= 0 && k > i - PH_AHEAD; k--) {
        uint8_t c = t[k].type;
        if (ph_quote(c) && acts && ph_one_of(t[k + 1].type, ";)}],:?-+*/%^|&") && !(t[k + 1].flags & F_SPACE)) {
            return ph_unmatched(t, k);
        }
        acts |= c == '(' ? k > 0 && t[k - 1].type == TK_WORD : c == '=';
        open += c == ')' || c == '}' || c == ']' ? -1 : c == '(' || c == '{' || c == '[';
    }
    return k < 0 && open < 0 && acts && (t[0].type == TK_NUM || ph_one_of(t[0].type, ")}]"));
}

/* An address outside at t[j], behind a quote or not: //x, http:, data: */
static int ph_outside(const ph_lexer *x, const ph_tok *t, int j) {
    j += ph_quote(t[j].type);
    return (t[j].type == '/' && t[j + 1].type == '/') || ph_is_any(x, &t[j], "http https data");
}

/* What ends a rule that the value did not begin stands before the { at t[i]: red;}body{ */
static int ph_closed_rule(const ph_tok *t, int i) {
    for (int k = i - 1; k >= 0 && k > i - PH_BACK; k--) {
        if (t[k].type == '}' || t[k].type == '{') {
            return t[k].type == '}' && k < PH_BEHIND;
        }
    }
    return 0;
}

/* A rule of a style sheet that loads from outside, from its { at t[i] on; one that asks for an attribute's text tells it. */
static void ph_sheet(const ph_lexer *x, const ph_tok *t, int i, uint64_t *seen, ph_verdict *v) {
    int colon = 0, open = 0;
    for (int j = i + 1; j < i + 30 && t[j].type != TK_END && t[j].type != '}'; j++) {
        colon |= t[j].type == ':';
        if (!colon && t[j].type > TK_CMT && !ph_one_of(t[j].type, "-*;\\$!")) {
            return;                                       /* no declaration: what most { begin is not looked through */
        }
        open += t[j].type == '[' || t[j].type == '(' ? 1 : t[j].type == ']' || t[j].type == ')' ? -1 : 0;
        if (open && t[j].type == ';' && colon && (t[j - 1].type == TK_WORD || t[j - 1].type == TK_NUM) && t[j + 1].type == TK_WORD && t[j + 2].type == ':') {
            ph_once(v, PH_S_XSS, seen, X_STYLE, 60, "style-rule", t[j].at);     /* a bracket that no declaration closes */
            return;
        }
        if (colon && t[j].type == TK_WORD && t[j + 1].type == '(' && ph_is(x, &t[j], "url")) {
            int asks = 0, outside = ph_outside(x, t, j + 2);
            for (int k = i - 1; k > i - 16 && k > 1 && t[i - 1].type == ']'; k--) {
                asks |= t[k].type == '=' && (ph_one_of(t[k - 1].type, "^$*~|") || t[k - 1].type == TK_WORD);
            }
            int loads = ph_is_any(x, &t[i + 1], "behavior") || asks || (t[0].flags & F_FIRST && ph_one_of(t[0].type, "}\"'")) || ph_closed_rule(t, i);
            if (outside || loads) {
                ph_once(v, PH_S_XSS, seen, X_STYLE, loads && (outside || !asks) ? 60 : 40, "style-rule", t[j].at);
            }
            return;
        }
    }
}

/* The whole value is one attribute and the end of the tag around it: xmlns:a="b"> */
static int ph_tag_rest(const ph_tok *t, int i) {
    int k = t[1].type == ':' || t[1].type == '-' ? 3 : 1;
    return i > k + 1 && t[0].flags & F_FIRST && t[0].type == TK_WORD && t[k].type == '=' && t[k + 1].type == t[i].type && k + 1 < i
        && t[i + 2].type == TK_END && !ph_unmatched(t, i);
}

/* A quote that nothing opened, then an attribute with a value: the tag goes on as the value wants. Links that were cut badly
 * out of a page end in class, target, rel. */
static int ph_attribute_break(const ph_lexer *x, const ph_tok *t, int i) {
    int framed = (t[i + 1].type == '@' || t[i + 1].type == ':') ? t[i + 2].type == TK_WORD && !(t[i + 2].flags & F_SPACE) && t[i + 3].type == '='
        : t[i + 2].type == '-' && t[i + 3].type == TK_WORD && t[i + 4].type == '=' && ph_is_any(x, &t[i + 1], "ng v x hx") ? 1
        : t[i + 2].type == '-' && ph_is(x, &t[i + 1], "data") && ph_is_any(x, &t[i + 3], "ng hx bind") && t[i + 3].type != TK_END;
    if (framed && t[i + 1].flags & F_SPACE && !((t[i + 2].flags | t[i + 3].flags) & F_SPACE)) {  /* @click=, ng-focus=, x-init= */
        return (i == 0 || !(t[i].flags & F_SPACE)) && ph_unmatched(t, i);
    }
    return t[i + 1].flags & F_SPACE && t[i + 2].type == '=' && !(t[i + 2].flags & F_SPACE) && !(t[i + 3].flags & F_SPACE)
        && ph_is_any(x, &t[i + 1], "style src href action formaction background accesskey tabindex contenteditable srcdoc autofocus "
            "poster srcset") && (i == 0 || !(t[i].flags & F_SPACE)) && ph_unmatched(t, i);
}

/* The comment that ends at t[i] began in the value, as editors of pages write them. */
static int ph_commented(const ph_tok *t, int i) {
    for (int k = i - 1; k > 1 && k > i - PH_BACK; k--) {
        if (t[k].type == TK_CMT) {
            return t[k - 1].type == '!' && t[k - 2].type == '<';
        }
    }
    return 0;
}

/* Marks. */
static void ph_break(const ph_lexer *x, const ph_tok *t, int i, uint64_t *seen, ph_verdict *v) {
    uint8_t c = t[i].type, after = t[i + 1].type;
    const ph_tok *b = i ? &t[i - 1] : &(ph_tok){0};
    if (v->prose) {
        return;
    }
    if (c == '/' && after == '/' && t[i + 2].type == TK_END && (ph_one_of(b->type, ";)}]'\"`") || (i > 3 && b->type && b->type <= TK_NUM
            && !(t[i].flags & F_SPACE))) && ph_ran(t, i)) {
        ph_once(v, PH_S_XSS, seen, X_BREAK, 60, "string-break", t[i].at);
    } else if (ph_quote(c) && (after == TK_END || (after == TK_WORD && t[i + 2].type == TK_END && !(t[i + 1].flags & F_SPACE))) && i > 5 && ph_one_of(b->type, ";-+*/,|&?:^%(") && !(t[i].flags & F_SPACE)
               && ph_one_of(t[i - 2].type, ")]}`") && ph_ran(t, i - 1)) {
        ph_once(v, PH_S_XSS, seen, X_BREAK, 60, "string-break", t[i].at);
    } else if (c == ')' && (after == ';' || ph_quote(after))) {
        const ph_tok *q = &t[i + 1 + (after == ';')];
        if (after == ';' && q->type == TK_WORD && ph_one_of(q[1].type, "(.=[`") && ph_breaks(t, i + 2)) {
            ph_once(v, PH_S_XSS, seen, X_BREAK, 60, "string-break", t[i].at);
        } else if (ph_quote(q->type) && q[1].type == '>' && i > 1 && (b->type == '(' || i > 2) && ph_unmatched(t, i + 1 + (after == ';'))) {
            ph_once(v, PH_S_XSS, seen, X_BREAK, 60, "attribute-break", t[i].at);
        }
    } else if (c == ')' && after == '>' && t[i + 2].type == TK_END) {  /* run()>: the end of a tag whose handler has no quotes */
        if (v->where == PH_W_QUERY && t[0].flags & F_FIRST && t[0].type == TK_WORD && t[1].type == '(' && i < 8 && !(t[1].flags & F_SPACE)) {
            ph_once(v, PH_S_XSS, seen, X_BREAK, 60, "attribute-break", t[i].at);
        }
    } else if (c == ')' && after == '/') {                    /* <script>f()</script> behind a filter that takes < and > out */
        if (ph_is(x, &t[i + 2], "script") && t[i + 3].type == TK_END && ph_at(x->p, x->n, t[0].at, "script")) {
            ph_once(v, PH_S_XSS, seen, X_BREAK, 60, "tag-without-marks", t[i].at);
        }
    } else if ((c == '"' || c == '\'') && after == '>') {
        int left = i < 2 && t[i + 2].type == '<' && t[i + 3].type == TK_WORD && !((t[i + 1].flags | t[i + 2].flags) & F_SPACE) && ph_unmatched(t, i);
        if (v->where == PH_W_QUERY && (left || ph_tag_rest(t, i))) {      /* "><b>: a tag of the page is ended, another begun */
            ph_once(v, PH_S_XSS, seen, X_BREAK, 60, "attribute-break", t[i].at);
        }
    } else if ((c == '"' || c == '\'') && (after == TK_WORD || after == '@' || after == ':')) {
        if (v->where != PH_W_JSON && ph_attribute_break(x, t, i)) {
            ph_once(v, PH_S_XSS, seen, X_BREAK, 60, "attribute-break", t[i].at);
        }
    } else if (c == '(' && after == '\\') {                  /* "url(\"": what a style sheet is given goes on behind it */
        if (i > 1 && ph_is(x, b, "url") && ph_quote(t[i - 2].type) && ph_quote(t[i + 2].type) && t[i + 3].type == t[i - 2].type) {
            ph_once(v, PH_S_XSS, seen, X_STYLE, 60, "style-rule", t[i].at);
        }
    } else if (c == ']' && after == ';') {                    /* a]; color: red; {: a selector cut off */
        if (t[i + 2].type == TK_WORD && t[i + 3].type == ':' && t[i + 4].type == TK_WORD && t[i + 5].type == ';' && t[i + 6].type == '{') {
            ph_once(v, PH_S_XSS, seen, X_STYLE, 60, "style-rule", t[i].at);
        }
    } else if (c == TK_CMT && after == TK_END) {              /* a foreign comment was ended, and the rest is made one */
        int call = 0;
        for (int k = i - 1; k > 0 && k > i - PH_AHEAD; k--) {
            call |= t[k].type == '(' && t[k - 1].type == TK_WORD;
        }
        if (call && x->p[0] == '*' && x->p[1] == '/' && x->p[t[i].at] == '/') {
            ph_once(v, PH_S_XSS, seen, X_BREAK, 60, "comment-break", t[i].at);
        }
    } else if (c == TK_CMT && after == '>' && !(t[i + 1].flags & F_SPACE)) {
        int quoted = ph_quote(b->type) && !(t[i].flags & F_SPACE) && ph_unmatched(t, i - 1);
        if (quoted || (t[i + 2].type == ']' && t[i + 3].type == ']')) {
            ph_once(v, PH_S_XSS, seen, X_BREAK, 60, "comment-break", t[i].at);
        } else if ((t[i + 2].type == '<' || ph_quote(t[i + 2].type)) && !ph_commented(t, i)) {
            ph_once(v, PH_S_XSS, seen, X_BREAK, i ? 20 : 50, "comment-break", t[i].at);
        }
    } else if (c == '&' && after == '{' && (b->type == '=' || ph_quote(b->type) || i == 0) && (t[i + 2].type == '(' || t[i + 3].type == '(')) {
        ph_once(v, PH_S_XSS, seen, X_SINK, 60, "script-macro", t[i].at);
    } else if (c == '(' && after == '(' && t[i + 2].type == ')' && t[i + 3].type == '=' && t[i + 4].type == '>') {
        ph_once(v, PH_S_XSS, seen, X_ARROW, t[i + 4].flags & F_SPACE || t[i + 5].flags & F_SPACE ? 40 : 60, "script-function", t[i].at);
    } else if (c == '{' && after == TK_WORD) {
        ph_sheet(x, t, i, seen, v);
    }
}
#endif
