/* What a shell makes of a text before it runs it (POSIX 1003.1, 2.6; Bash, "Shell Expansions"): expansions to nothing inside of
 * a name, escapes in $'..', names that were put into a variable before.
 */
#ifndef PH_SCAN_EXPAND_H
#define PH_SCAN_EXPAND_H

#include "ph_scan_lex.h"

/* ${x}, $(), ``, $@, $*, $!, $9 in the midst of a name: how many tokens at j are nothing, 0: none. At most six. */
static int ph_nothing(const ph_tok *t, int j) {
    uint8_t d = t[j + 1].type;
    int k = j + 2;
    if (t[j + 1].flags & F_SPACE) {
        return 0;
    }
    if (t[j].type == '$' && d == '{') {
        while (k < j + 5 && t[k].type != '}' && t[k].type != TK_END && !(t[k].flags & F_SPACE)) {
            k++;
        }
        k += t[k].type == '}' ? 1 : PH_AHEAD;
    } else if (t[j].type == '$' && d == '(') {
        k += t[k].type == ')' ? 1 : PH_AHEAD;
    } else if (t[j].type == '`' ? d != '`' : d != '@' && d != '*' && d != '!' && d != TK_NUM) {
        return 0;
    }
    return k < j + 7 && t[k].type == TK_WORD && !(t[k].flags & F_SPACE) ? k - j : 0;
}

/* A backslash before a line's end: the next line goes on with the word. */
static int ph_joined(const ph_lexer *x, const ph_tok *t, int j) {
    size_t at = t[j].at + 1;
    if (t[j].type != '\\' || at >= x->n || !(t[j + 1].flags & F_LINE)) {
        return 0;
    }
    return t[j + 1].at == at + 1 || (x->p[at] == '\r' && t[j + 1].at == at + 2);
}

/* $'\167\150': two letters or more, each by its number; i: the dollar. */
static int ph_numbered(const ph_lexer *x, const ph_tok *t, int i) {
    int letters = 0;
    for (int k = i + 2; k < i + 30 && t[k].type != '\'' && t[k].type != TK_END; k++) {
        const uint8_t *c = x->p + t[k + 1].at;
        letters += t[k].type == '\\' && !(t[k + 1].flags & F_SPACE) && t[k + 1].len >= 3 && ((c[0] | 1) == '1') && c[1] >= '0' && c[1] < '8'
            && c[2] >= '0' && c[2] < '8';
    }
    return letters >= 2;
}

/* a=l;b=s;$a$b, read q<<<id;$q, set x=dir&%x%: a name that the value itself has put into a variable; i: the dollar, behind a separator. Looks
 * back as far as the window surely reaches. */
static int ph_own_variable(const ph_lexer *x, const ph_tok *t, int i) {
    const ph_tok *name = &t[i + 1 + (t[i + 1].type == '{')];
    if ((t[i].type != '$' && (t[i].type != '%' || t[i + 2].type != '%')) || t[i + 1].flags & F_SPACE || name->type != TK_WORD || name->flags & F_SPACE) {
        return 0;
    }
    for (int k = i - 2; k >= 0 && k >= i - PH_BEHIND; k--) {
        if (t[k].type == TK_WORD && t[k].len == name->len && memcmp(x->p + t[k].at, x->p + name->at, name->len) == 0
            && ((t[k + 1].type == '=' && !(t[k + 1].flags & F_SPACE) && !(k && t[k - 1].type == '$')) || t[k + 1].type == '<')) {
            return 1;
        }
    }
    return 0;
}

/* $HOME/x, ./x, ~/x, ${SHELL} -c: a program by a variable of every shell or by a path from where one is. */
static int ph_own_path(const ph_lexer *x, const ph_tok *t, int i) {
    int j = i + 1;
    if (t[i].type == '.' || t[i].type == '~') {
        j += t[i].type == '.' && t[j].type == '.' && !(t[j].flags & F_SPACE);
        return t[j].type == '/' && t[j + 1].type == TK_WORD && !((t[j].flags | t[j + 1].flags) & F_SPACE);
    }
    int brace = t[j].type == '{';
    j += brace;
    if (t[i].type != '$' || t[i + 1].flags & F_SPACE || !(ph_is_any(x, &t[j], "home pwd oldpwd shell bash path comspec") || (t[j].type == TK_NUM
            && t[j].len == 1 && x->p[t[j].at] == '0'))) {
        return 0;
    }
    j += 1 + (brace && t[j + 1].type == '}');
    return (t[j].type == '/' && t[j + 1].type == TK_WORD) || (t[j].type == '-' && t[j].flags & F_SPACE && t[j + 1].type == TK_WORD);
}
#endif
