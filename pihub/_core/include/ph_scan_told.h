/* Command lines that are told by all that stands in them, where no separator says that one begins: a program with options
 * and places as the value's end, a name spread over braces, PowerShell's cmdlets and classes.
 */
#ifndef PH_SCAN_TOLD_H
#define PH_SCAN_TOLD_H

#include "ph_scan_command.h"

/* Option, path, address to the value's end behind a command's name: ls -l /tmp. In a sentence that goes on, or ends with its
 * full stop, a command is mentioned. */
static int ph_line_told(const ph_lexer *x, const ph_tok *t, int next) {
    int options = 0, places = 0, words = 0;
    for (int j = next; j < next + 24; j++) {
        uint8_t c = t[j].type;
        int spaced = t[j].flags & F_SPACE, tight = !(t[j + 1].flags & F_SPACE);
        if (c == TK_END) {
            return options && places && words <= 1;
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
#endif
