/* Whether words are a shell's command: its name (quotes, backslashes and empty variables taken out) and what stands
 * behind it. ph_scan_shell.h asks.
 */
#ifndef PH_SCAN_COMMAND_H
#define PH_SCAN_COMMAND_H

#include "ph_scan_lex.h"

/* The command that begins at token i, across quotes and backslashes. *next: after it. */
static uint32_t ph_command(const ph_lexer *x, const ph_tok *t, int i, int *next, int *hidden) {
    char name[32] = {0};
    size_t m = 0;
    int j = i, words = 0;
    *hidden = 0;
    *next = i;
    while (j < i + 8 && (t[j].type == '/' || t[j].type == '.' || (t[j].type == TK_WORD && t[j + 1].type == '/'
            && !(t[j + 1].flags & F_SPACE)))) {          /* /usr/bin/ */
        j++;
    }
    for (; j < i + 16; j++) {
        if (j > i && t[j].flags & F_SPACE && m) {
            break;
        }
        if (t[j].type == '`' && m && t[j + 1].type != '`') {
            break;                                        /* ends the substitution */
        }
        if (t[j].type == '\\' && m && t[j + 1].len == 1 && ph_is_any(x, &t[j + 1], "n r") && (t[j + 2].flags & F_SPACE
                || !(ph_quote(t[j + 2].type) || t[j + 2].type == '\\' || t[j + 2].type == TK_WORD))) {
            break;                                        /* a line's end, written out */
        }
        if (t[j].type == '.' && m && ph_is_any(x, &t[j + 1], "exe com bat cmd")) {
            j++;
            continue;
        }
        if (t[j].type == TK_WORD || (t[j].type == TK_NUM && m)) {
            if (m + t[j].len >= sizeof name) {
                return 0;
            }
            memcpy(name + m, x->p + t[j].at, t[j].len);
            m += t[j].len;
            words++;
        } else if (ph_quote(t[j].type) || t[j].type == '\\' || t[j].type == '^') {
            if (m && (t[j + 1].flags & F_SPACE || t[j + 1].type == TK_END)) {
                break;
            }
            *hidden |= words > 0 && t[j + 1].type == TK_WORD;
        } else if (t[j].type == '$' && (t[j + 1].type == '@' || t[j + 1].type == '*') && m) {
            j++;
            *hidden = 1;
        } else {
            break;
        }
    }
    *next = j;
    if (!m) {
        return 0;
    }
    *hidden &= words > 1;
    return ph_word_kinds(x->words, (const uint8_t *)name, m) & (K_CMD | K_TOOL | K_SPOKEN);
}

/* What stands after a command: 3 only a command line has it, 2 likely, 1 nothing, 0 prose. */
static int ph_argument(const ph_lexer *x, const ph_tok *t, int j) {
    const ph_tok *a = &t[j];
    if (a->type == TK_END || a->type == '#') {
        return 1;
    }
    if (a->type == '\\' && ph_is_any(x, &t[j + 1], "n r")) {
        return 1;
    }
    if (a->type == '%' && a->flags & F_SPACE && t[j + 1].type == TK_WORD && t[j + 2].type == '%') {
        return 3;                                         /* %SYSTEMROOT% */
    }
    if (a->type == '+' && a->flags & F_SPACE && t[j + 1].type == TK_WORD && !(t[j + 1].flags & F_SPACE)) {
        return 3;                                         /* dig +short */
    }
    if (a->type == '-' && a->flags & F_SPACE && !(t[j + 1].flags & F_SPACE)) {
        return t[j + 1].type == TK_WORD || t[j + 1].type == '-' || t[j + 1].type == TK_NUM ? 3 : 2;
    }
    if (a->type == TK_CMT && a->flags & F_SPACE && t[j + 1].type == TK_WORD && !(t[j + 1].flags & F_SPACE)) {
        return 3;
    }
    if (a->type == '/' || a->type == '~' || (a->type == '.' && (t[j + 1].type == '/' || t[j + 1].type == '.'))) {
        return a->flags & F_SPACE && (t[j + 1].type != TK_END) ? 3 : 2;
    }
    if (a->type == '$' || a->type == '`' || a->type == '|' || a->type == '>' || a->type == '<') {
        return 3;
    }
    if (a->type == ';' || a->type == '&' || ph_quote(a->type) || a->type == ')' || a->type == '}') {
        return 2;
    }
    if (a->type == '%' || a->type == '*' || a->type == '\\') {
        return 2;
    }
    if (a->type == TK_NUM && a->flags & F_SPACE) {
        return 2;
    }
    if (a->type == TK_WORD && a->flags & F_SPACE) {
        uint8_t n = t[j + 1].type;
        if (n == ':' && a->len == 1) {
            return 3;                                     /* c: */
        }
        if (n == ':' && t[j + 2].type == '/' && t[j + 3].type == '/') {
            return 3;                                     /* curl https:// */
        }
        if ((n == '.' || n == '/' || n == '@') && !(t[j + 1].flags & F_SPACE) && t[j + 2].type == TK_WORD
            && !(t[j + 2].flags & F_SPACE)) {
            return 2;
        }
        return n == TK_END || n == '|' || n == ';' || n == '&' || n == '`' || n == '$' || n == '>' || (n == ')' && t[j + 2].type == TK_END) ? 1 : 0;
    }
    if (a->type == '(' && (t[j + 1].kinds & K_TOOL || (ph_is(x, &t[j + 1], "new") && t[j + 2].type == '-'))) {
        return 3;                                         /* iex (iwr */
    }
    return a->type == '(' ? 0 : a->flags & F_LINE ? 1 : 0;
}

/* The quote at i is closed again. */
static int ph_closed(const ph_tok *t, int i) {
    for (int k = i + 1; k < i + 24 && t[k].type != TK_END; k++) {
        if (t[k].type == t[i].type) {
            return ph_quote(t[i].type);
        }
    }
    return 0;
}

/* A sentence speaks of the program whose name ends before `next`; nothing is asked of it. */
static int ph_mentioned(const ph_lexer *x, const ph_tok *t, int next) {
    uint8_t c = t[next].type;
    return (c == '.' && t[next + 1].type == TK_END) || (c != TK_END && ph_argument(x, t, next) < 2) || ph_quote(c) || c == ')';
}

/* `...` in a sentence quotes code; it is a command only if it holds more than a name and options. */
static int ph_quoted_code(const ph_lexer *x, const ph_tok *t, int i) {
    int far = 0;
    for (int j = i; j < i + 24 && t[j].type != '`' && t[j].type != '\''; j++) {
        uint8_t c = t[j].type;
        if (c == TK_END || c == '|' || c == ';' || c == '<' || c == '>' || c == '$' || c == '&'
            || (c == ':' && t[j + 1].type == '/') || ph_is_any(x, &t[j], "etc passwd dev tmp")) {
            return 0;
        }
        far = j;
    }
    return far < i + 23;
}

/* An unknown word where a shell reads a command: what follows it must be a command's. */
static unsigned ph_unknown_command(const ph_lexer *x, const ph_tok *t, int i, int next, int sep, const ph_verdict *v) {
    uint8_t before = i > 1 ? t[i - 2].type : 0;           /* of the separator */
    int edge = i - (sep == '+') < 2 || ph_quote(before) || before == ')';
    uint8_t a = t[next].type;
    if (v->where == PH_W_HEADER || v->where == PH_W_JSON || v->prose) {
        return 0;
    }
    if (sep == '$' && a == ')' && t[i].type == TK_WORD) {
        return ph_is_any(x, &t[i], "document this window") ? 0 : 40;
    }
    if (sep == ';' && t[i].type == '$' && t[i + 1].type == TK_WORD && i > 3 && t[i - 3].type == '=' && (t[i + 2].type == TK_END
            || t[i + 2].type == '$')) {
        return 60;                                        /* x=id;$x */
    }
    if (t[i].type == '$' && !(t[i + 1].flags & F_SPACE) && (t[i + 1].type == TK_WORD || (t[i + 1].type == TK_NUM
            && x->p[t[i + 1].at] == '0')) && sep != '&' && sep != '\n') {
        return edge && (t[i + 2].type == TK_END || t[i + 2].flags & F_SPACE || t[i + 2].type == '$') ? 60 : 0;
    }
    if (sep == ';' && edge && ((t[i].type == '$' && (ph_quote(t[i + 1].type) || (t[i + 1].type == '(' && t[i + 2].type == '<')))
            || (t[i].type == '$' && t[i + 1].type == '{' && t[i + 2].type == TK_WORD && t[i + 3].type == ':' && t[i + 4].type == TK_NUM)
            || ((t[i].type == '.' || t[i].type == '~') && t[i + 1].type == '/' && t[i + 2].type == TK_WORD && !(t[i + 2].flags & F_SPACE))
            || (t[i].type == '/' && ph_is_any(x, &t[i + 1], "tmp var dev home usr opt etc bin") && t[i + 2].type == '/')
            || (t[i].type == '.' && t[i + 1].flags & F_SPACE && t[i + 1].type == '/') || (t[i].type == '!' && t[i + 1].type == '!')
            || (ph_is(x, &t[i], "case") && t[i + 1].flags & F_SPACE && ph_is(x, &t[i + 2], "in")))) {
        return 60;                                        /* $'id', ${PATH:0:1}, ./x, /tmp/x, !! */
    }
    if (t[i].type == '.' && t[i + 1].flags & F_SPACE && t[i + 1].type == TK_WORD && sep == ';') {
        return edge ? 60 : 0;                             /* . file */
    }
    if (t[i].type == '[' && t[i + 1].flags & F_SPACE) {
        return edge ? 60 : 0;
    }
    if (t[i].type == '(' && t[i + 1].type == '(' && sep == ';') {
        return edge ? 60 : 0;
    }
    if (t[i].type == '>' && sep == ';') {
        return edge && (t[i + 1].type == '/' || t[i + 1].type == TK_WORD) ? 60 : 0;
    }
    if (next != i + 1 || t[i].type != TK_WORD) {
        return 0;
    }
    if (a == '=' && !(t[next].flags & F_SPACE) && sep == ';' && edge && ph_at(x->p, x->n, t[next + 1].at, "$'")) {
        return 60;                                        /* X=$'...' */
    }
    int shape = ph_argument(x, t, next);
    if (shape == 3 && (a == TK_CMT || a == '-' || a == '/' || a == '<' || a == '>' || a == '|') && sep != '\n') {
        return edge || (sep == ';' && i < 4) ? 60 : 30;
    }
    return edge && shape == 3 && sep != '\n' && sep != '&' ? 60 : 0;
}

/* What a cmdlet at a value's own beginning must be about. */
static int ph_noun(const ph_lexer *x, const ph_tok *t) {
    return ph_is_any(x, t, "process childitem content item location service command wmiobject ciminstance eventlog expression "
        "webrequest restmethod object computerinfo itemproperty localuser acl netipaddress host history psdrive executionpolicy");
}

/* A cmdlet of PowerShell: a verb that it approves of, a dash, a noun. */
static int ph_cmdlet(const ph_lexer *x, const ph_tok *t, int i) {
    return t[i + 1].type == '-' && !(t[i + 1].flags & F_SPACE) && t[i + 2].type == TK_WORD && !(t[i + 2].flags & F_SPACE)
        && ph_is_any(x, &t[i], "get set invoke new start stop add remove out import export convertto convertfrom write read "
            "select where foreach test restart enable disable copy move rename clear wait register unregister");
}

/* for a in, if [, export A=, alias a=: what a shell's own words must be followed by. */
static int ph_shell_keyword(const ph_lexer *x, const ph_tok *t, int i) {
    if (ph_is_any(x, &t[i], "export alias declare local let typeset set")) {
        return t[i + 1].type == TK_WORD && t[i + 2].type == '=' && !(t[i + 2].flags & F_SPACE);
    }
    return ph_is(x, &t[i], "for") ? t[i + 1].type == TK_WORD && ph_is(x, &t[i + 2], "in") && t[i + 1].len < 9
        : ph_is_any(x, &t[i], "if while until") ? t[i + 1].type == '[' || t[i + 1].kinds & (K_CMD | K_TOOL)
        : ph_is_any(x, &t[i], "unset trap unalias readonly") ? t[i + 1].type == TK_WORD : 0;
}
#endif
