/* Templates whose delimiters are their own: FreeMarker's square brackets, Thymeleaf's, Razor, Blade, Smarty, Dust, Mako's
 * lines; and sums between delimiters of whatever engine, by which it is asked for.
 */
#ifndef PH_SCAN_DELIMITER_H
#define PH_SCAN_DELIMITER_H

#include "ph_scan_lex.h"

/* One operand at t[j]: 7, '7', "a", (7). Behind it, 0: none. */
static int ph_operand(const ph_tok *t, int j) {
    if (t[j].type == TK_NUM) {
        return j + 1;
    }
    return ph_quote(t[j].type) && (t[j + 1].type == TK_NUM || t[j + 1].type == TK_WORD) && t[j + 2].type == t[j].type ? j + 3 : 0;
}

/* A sum of two operands at t[j], one of them a number or in quotes: 7*7, 7*'7', 'a'~'b'. Behind it, 0: none. */
static int ph_sum(const ph_tok *t, int j) {
    int op = ph_operand(t, j);
    if (!op || t[op].type <= TK_CMT || !strchr("*+-/%~|^=", t[op].type)) {
        return 0;
    }
    int twice = t[op + 1].type == t[op].type && (t[op].type == '*' || t[op].type == '=');
    return t[op].type == '=' && !twice ? 0 : ph_operand(t, op + 1 + twice);
}

/* {7*7}, {="7"*7}, {!7*7!}: a sum between braces, and at most one mark of an engine. */
static int ph_summed(const ph_tok *t, int i) {
    uint8_t mark = t[i + 1].type > TK_CMT && strchr("=!@~-", t[i + 1].type) ? t[i + 1].type : 0;
    int j = i + 1 + (mark != 0), paren = t[j].type == '(', end = ph_sum(t, j + paren);
    if (!end || (paren && t[end++].type != ')')) {
        return 0;
    }
    end += mark && t[end].type == mark;
    return t[end].type == '}' || (t[end].type == '|' && t[end + 1].type == TK_WORD && t[end + 2].type == '}');
}

/* @extends('x'), @php, @section x {: directives of Blade and of Razor that no name of a person or a post is. */
static int ph_directive(const ph_lexer *x, const ph_tok *t, int i) {
    const ph_tok *b = &t[i + 2];
    if (t[i + 1].flags & F_SPACE || (i && !(t[i].flags & (F_SPACE | F_LINE | F_FIRST)))) {
        return 0;
    }
    if (b->type == '(' && !(b->flags & F_SPACE)) {
        return ph_quote(t[i + 3].type) && ph_is_any(x, &t[i + 1], "extends include includeif includewhen inject yield section component each "
            "lang json push prepend stack slot can env eval method error use verbatim");
    }
    if (b->type == '{') {
        return ph_is_any(x, &t[i + 1], "functions code try do");
    }
    if (b->type == '.') {
        return i == 0 && t[i + 3].type == TK_WORD && t[i + 4].type == '(' && ph_is_any(x, &t[i + 1], "html url model viewbag component "
            "environment datetime request response session context configuration");
    }
    return b->type == TK_WORD && b->flags & F_SPACE && i == 0 && ((ph_is_any(x, &t[i + 1], "section") && t[i + 3].type == '{')
        || (ph_is(x, &t[i + 1], "php") && ph_is_any(x, b, "echo print system exec eval die return if foreach")));
}

/* Delimiters of their own: FreeMarker's square brackets, Thymeleaf's, Razor, Blade, Smarty, Dust, Mako's lines. */
static int ph_template_more(const ph_lexer *x, const ph_tok *t, int i, const ph_verdict *v) {
    uint8_t c = t[i].type, d = t[i + 1].type;
    const ph_tok *b = &t[i + 2];
    if (t[i + 1].flags & F_SPACE) {
        return c == '%' && t[i].flags & (F_FIRST | F_LINE) && !v->prose && v->where != PH_W_JSON
            && ph_is_any(x, &t[i + 1], "import from for if while def") && b->type == TK_WORD && ((ph_is_any(x, &t[i + 1], "import from")
                && (t[i + 3].type == TK_END || t[i + 3].flags & F_LINE || t[i + 3].type == '.')) || ph_is_any(x, &t[i + 3], "in import as is not"));
    }
    if (c == '[' && d == '#') {
        return ph_is_any(x, b, "assign include import list macro function attempt ftl global local")
            || (ph_is_any(x, b, "if elseif") && t[i + 3].flags & F_SPACE && t[i + 3].type != TK_END);
    }
    if (c == '[' && (d == '=' || d == '[')) {             /* [=6*7], [[6*7]], [="x"?new()] */
        int end = ph_sum(t, i + 2);
        return (end && t[end].type == ']' && !v->prose && (d == '=' || t[end + 1].type == ']') && !(d == '[' && t[i + 3].type == '-'))
            || (d == '=' && ph_quote(b->type) && t[i + 3].type == TK_WORD && t[i + 4].type == b->type && t[i + 5].type == '?');
    }
    if (c == '[' && d == '%') {                           /* [% x %]: Template Toolkit */
        int end = ph_sum(t, i + 2);
        if (end && t[end].type == '%' && t[end + 1].type == ']') {
            return 1;
        }
        for (int j = i + 3; j < i + 24 && t[j].type != TK_END && !v->prose; j++) {
            if (t[j].type == '%' && t[j + 1].type == ']' && !(t[j + 1].flags & F_SPACE)) {
                return t[j].flags & F_SPACE && (b->flags & F_SPACE || b->type == '=' || b->type == '-');
            }
        }
        return 0;
    }
    if (c == '{' && d == '!') {                           /* {!! $x !!} */
        for (int j = i + 3; j < i + 24 && b->type == '!' && t[j].type != TK_END; j++) {
            if (t[j].type == '!' && t[j + 1].type == '!' && t[j + 2].type == '}') {
                return 1;
            }
        }
        return 0;
    }
    if (c == '{' && ph_quote(d)) {                        /* {'x'|system} */
        return b->type == TK_WORD && t[i + 3].type == d && t[i + 4].type == '|' && t[i + 5].kinds & (K_PHP | K_CMD | K_TOOL | K_EVIL)
            && !(t[i + 5].flags & F_SPACE);
    }
    if (c == '{' && d == '@') {                           /* {@math key="6"/} */
        return b->type == TK_WORD && t[i + 3].type == TK_WORD && t[i + 4].type == '=' && ph_quote(t[i + 5].type);
    }
    if (c == '{' && d == '$') {                           /* {$x|system}, {$x->y()} */
        return b->type == TK_WORD && ((t[i + 3].type == '|' && t[i + 4].kinds & (K_PHP | K_CMD | K_TOOL))
            || (t[i + 3].type == '-' && t[i + 4].type == '>' && t[i + 5].type == TK_WORD && t[i + 6].type == '('));
    }
    if (c == '{' && d == TK_WORD) {                       /* {if $x}, {foreach $x as $y} */
        return ph_is_any(x, &t[i + 1], "if elseif foreach while for") && b->flags & F_SPACE && (b->type == '$' || (b->type == TK_NUM
            && t[i + 3].type == '}')) && !v->prose && v->where != PH_W_JSON;
    }
    if (c == '@' && d == TK_WORD && !v->prose) {
        return ph_directive(x, t, i) || (ph_is_any(x, &t[i + 1], "if foreach for while switch") && b->type == '(' && (t[i].flags & (F_FIRST | F_LINE)))
            || (i == 0 && ph_is(x, &t[1], "using") && ph_is_any(x, &t[2], "system microsoft") && (t[3].type == '.' || t[3].type == TK_END));
    }
    return c == '@' && d == '(' && ph_is_any(x, b, "system datetime environment html viewbag httpcontext model") && t[i + 3].type == '.';
}
#endif
