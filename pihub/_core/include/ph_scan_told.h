/* Command lines that are told by all that stands in them, where no separator says that one begins: a program with options
 * and places as the value's end, a name spread over braces, PowerShell's cmdlets and classes.
 */
#ifndef PH_SCAN_TOLD_H
#define PH_SCAN_TOLD_H

#include "ph_scan_command.h"

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

/* Option, path, address to the value's end behind a command's name: ls -l /tmp. In a sentence that goes on, or ends with its
 * full stop, a command is mentioned. `alone`: its options suffice. */
static int ph_line_told(const ph_lexer *x, const ph_tok *t, int next, int alone) {
    int options = 0, places = 0, words = 0;
    for (int j = next; j < next + 24; j++) {
        uint8_t c = t[j].type;
        int spaced = t[j].flags & F_SPACE, tight = !(t[j + 1].flags & F_SPACE);
        if (c == TK_END) {
            return options && ((places && words <= 1) || (alone && !words));
        }
        if (t[j + 1].type == TK_END && (c == '.' || c == '?' || c == '!' || c == ':' || c == ',' || ph_quote(c) || c == ')')) {
            return 0;
        }
        if (c == ',' && t[j + 1].flags & F_SPACE) {
            return 0;
        }
        if ((c == '-' || c == TK_CMT) && spaced && tight && (t[j + 1].type == TK_WORD || t[j + 1].type == TK_NUM)) {
            options++;
            j++;
        } else if ((c == '/' && spaced && tight && t[j + 1].type == TK_WORD) || (c == '~' && t[j + 1].type == '/')
                   || (c == ':' && t[j + 1].type == '/' && t[j + 2].type == '/') || (c == TK_NUM && t[j].len > 6
                       && memchr(x->p + t[j].at, '.', t[j].len))) {
            places++;
        } else if (c == TK_WORD && spaced && !(t[j + 1].type == ':' || t[j + 1].type == '/' || t[j + 1].type == '.')) {
            words++;
        }
    }
    return 0;
}

/* c{a,oun}t, {l,-lh}s: a name that braces put together, tight, in parts. */
static int ph_braced(const ph_lexer *x, const ph_tok *t, int i) {
    char name[32] = {0};
    size_t m = 0;
    int j = i, prefix = t[i].type == TK_WORD;
    if (prefix) {
        m = t[i].len;
        j++;
    }
    if (t[j].type != '{' || (prefix && t[j].flags & F_SPACE) || t[j + 1].type != TK_WORD || t[j + 1].flags & F_SPACE || t[j + 2].type != ',') {
        return 0;
    }
    int end = j + 3;
    while (end < i + 16 && (t[end].type == TK_WORD || t[end].type == TK_NUM || t[end].type == '-' || t[end].type == ',' || t[end].type == '/')
           && !(t[end].flags & F_SPACE)) {
        end++;
    }
    int suffix = t[end].type == '}' && t[end + 1].type == TK_WORD && !(t[end + 1].flags & F_SPACE);
    size_t whole = m + t[j + 1].len + (suffix ? t[end + 1].len : 0);
    if (t[end].type != '}' || !(prefix || suffix) || whole >= sizeof name) {
        return 0;
    }
    memcpy(name, x->p + t[i].at, m);
    memcpy(name + m, x->p + t[j + 1].at, t[j + 1].len);
    m += t[j + 1].len;
    if (suffix) {
        memcpy(name + m, x->p + t[end + 1].at, t[end + 1].len);
    }
    return (ph_name_kinds(x->words, name, whole) & (K_CMD | K_TOOL)) != 0;
}

/* exec('whoami'): a function that runs what its argument names. */
static int ph_run_call(const ph_lexer *x, const ph_tok *t, int i) {
    int last = i + 2;
    if (i < 2 || t[i - 1].type != '(' || !ph_is_any(x, &t[i - 2], "exec system eval passthru shell_exec popen proc_open execsync spawn")) {
        return 0;
    }
    while (last < i + 12 && t[last].type != t[i].type && t[last].type != TK_END) {
        last++;
    }
    return t[last].type == t[i].type && t[last + 1].type == ')' && (t[last + 2].type == TK_END || t[last + 2].type == ';');
}

/* Get-CimInstance Win32_Process, New-LocalUser -Name x: a cmdlet at the value's beginning, with what only one has behind it. */
static int ph_cmdlet_line(const ph_lexer *x, const ph_tok *t, int i) {
    const ph_tok *a = &t[i + 3];
    return ph_cmdlet(x, t, i) && t[i + 2].len > 4 && a->type == '-' && a->flags & F_SPACE && t[i + 4].type == TK_WORD
        && !(t[i + 4].flags & F_SPACE) && t[i + 4].len > 2 && (t[i + 5].type == TK_END || t[i + 5].flags & F_SPACE);
}

/* "Use netstat -an": the word before names what follows. */
static int ph_introduced(const ph_lexer *x, const ph_tok *t, int i) {
    return i == 0 || t[i - 1].type != TK_WORD || ph_is_any(x, &t[i - 1], "a an and as by call called calls command do does execute executed "
        "executing for from how in into invoke invokes is like of on option or output program run running runs see start starts than that "
        "the then to tool try type typed typing use used uses using utility via with without your");
}

/* nohup ifconfig, bin/visudo as the value's end: what runs another program, a program's path from where one is. */
static int ph_last_program(const ph_lexer *x, const ph_tok *t, int i) {
    if (t[i + 1].type == '/' && t[i + 2].type == TK_WORD && !((t[i + 1].flags | t[i + 2].flags) & F_SPACE) && ph_is_any(x, &t[i], "bin sbin")) {
        return t[i + 2].kinds & K_TOOL && t[i + 3].type == TK_END;
    }
    return t[i].kinds & K_TOOL && t[i + 1].kinds & K_TOOL && t[i + 2].type == TK_END && ph_subcommand(x, t, i, i + 1);
}

/* alias -p x=id: options, then a name and what it stands for. In the midst of words, a command. */
static int ph_alias_line(const ph_lexer *x, const ph_tok *t, int i, int prose) {
    int j = i + 1;
    while (j < i + 6 && t[j].flags & F_SPACE && (((t[j].type == '-' || t[j].type == '+') && t[j + 1].type == TK_WORD && !(t[j + 1].flags & F_SPACE)) || t[j].type == TK_CMT)) {
        j += t[j].type == TK_CMT ? 1 : t[j + 2].type == '+' && !(t[j + 2].flags & F_SPACE) ? 3 : 2;
    }
    return ph_is(x, &t[i], "alias") && t[j].type == TK_WORD && t[j].flags & F_SPACE && t[j + 1].type == '=' && !(t[j + 1].flags & F_SPACE)
        && t[j + 2].type != '=' && !(t[j + 2].flags & F_SPACE) && ((i == 0 && !prose) || t[j + 2].kinds & (K_CMD | K_TOOL) || (t[j + 3].type == TK_END && !ph_introduced(x, t, i)));
}

/* ksh -c "..", perl -e '..': a program in a quote. In a sentence, as its end. */
static int ph_inline_program(const ph_lexer *x, const ph_tok *t, int i, int prose) {
    int next, hidden, j;
    if (!ph_is_any(x, &t[i], "bash sh ksh zsh dash ash csh tcsh fish python python2 python3 perl ruby php node lua pwsh rbash")
        || !ph_command(x, t, i, &next, &hidden) || t[next].type != '-' || !(t[next].flags & F_SPACE)
        || !ph_is_any(x, &t[next + 1], "c e r ce lc ne pe") || t[next + 1].flags & F_SPACE || !ph_quote(t[next + 2].type)) {
        return 0;
    }
    for (j = next + 3; j < i + 34 && t[j].type != t[next + 2].type && t[j].type != TK_END; j++) {
    }
    return !prose || (t[j].type == t[next + 2].type && (t[j + 1].type == TK_END || (t[j + 1].type == TK_WORD && !(t[j + 1].flags & F_SPACE)
        && t[j + 2].type == TK_END)) && !(i && ph_quote(t[i - 1].type)));
}

/* /[e]tc, /us?/bin: a directory of every system (FHS), spelt as a pattern. */
static int ph_wild_root(const ph_lexer *x, const ph_tok *t, int i) {
    static const char *const roots[] = {"etc", "bin", "sbin", "usr", "var", "tmp", "dev", "proc", "root", "home", "opt", "lib", "sys", NULL};
    uint8_t name[5];
    size_t m = 0, k = t[i].at + 1;
    int sets = 0, marks = 0;
    for (; k < x->n && m < sizeof name && (ph_alnum(x->p[k]) || x->p[k] == '?' || x->p[k] == '['); k++) {
        name[m] = x->p[k];
        if (x->p[k] == '[') {
            const uint8_t *end = memchr(x->p + k, ']', x->n - k < 14 ? x->n - k : 14);
            if (!end || end < x->p + k + 2) {
                return 0;
            }
            name[m] = end[-2] == '-' || x->p[k + 2] == '-' ? '?' : x->p[k + 1];
            k = (size_t)(end - x->p);
            sets++;
        } else {
            marks += x->p[k] == '?';
        }
        m++;
    }
    if (!(sets + marks) || (sets + marks) * 2 > (int)m + 1 || (k < x->n ? !memchr("/ ;|&", x->p[k], 5) : !sets) || (marks && k < x->n && x->p[k] != '/')) {
        return 0;
    }
    for (const char *const *r = roots; *r; r++) {
        size_t same = 0;
        while (same < m && (*r)[same] && (name[same] == '?' || (name[same] | 32) == (uint8_t)(*r)[same])) {
            same++;
        }
        if (same == m && !(*r)[same]) {
            return 1;
        }
    }
    return 0;
}
#endif
