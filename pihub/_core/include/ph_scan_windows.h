/* What only Windows' shells read: cmd.exe's escapes, conditions, loops and variables, programs with options behind a slash,
 * PowerShell's variables and classes.
 */
#ifndef PH_SCAN_WINDOWS_H
#define PH_SCAN_WINDOWS_H

#include "ph_scan_told.h"

/* [x] == [x], (x) == (x): marks that keep an empty variable from breaking a comparison. */
static int ph_both_sides(const ph_tok *t, int j) {
    uint8_t a = t[j - 1].type, b = t[j + 2].type;
    for (int k = j > 4 ? j - 4 : 0; k < j + 4; k++) {
        if (t[k].type == '%' && (t[k + 1].type == TK_WORD || t[k + 1].type == TK_NUM || t[k + 1].type == '%') && !(t[k + 1].flags & F_SPACE)) {
            return 1;                                     /* "%1"=="" */
        }
    }
    return j > 2 && ((a == ']' && b == '[' && t[j - 3].type == '[') || (a == ')' && b == '(' && t[j - 3].type == '(' && t[j - 2].type == TK_WORD
        && t[j + 3].type == TK_WORD && t[j + 4].type == ')' && t[j + 5].type == TK_WORD));
}

/* if A EQU B: cmd.exe's comparisons, which no prose has. */
static int ph_windows_if(const ph_lexer *x, const ph_tok *t, int i, int prose) {
    int marks = 0;
    if (i == 0 && ph_is(x, &t[1 + ph_is(x, &t[1], "not")], "defined") && t[i + 2].type != ',' && (t[i + 3].type == '(' || t[i + 3].kinds & K_CMD
            || t[i + 4].type == '(' || t[i + 4].kinds & K_CMD)) {
        return 1;
    }
    int not = ph_is(x, &t[i + 1], "not");
    if (ph_is(x, &t[i + 1 + not], "defined") && t[i + 2 + not].type == TK_WORD && ph_is_any(x, &t[i + 3 + not], "echo cmd call goto del")) {
        return 1;
    }
    for (int j = i + 1; j < i + 12 && t[j].type != TK_END; j++) {
        if (t[j].len == 3 && ph_is_any(x, &t[j], "neq equ gtr geq lss leq")) {
            return 1;
        }
        marks |= t[j].type == '[' || t[j].type == ')' || t[j].type == '%' || ph_quote(t[j].type);
        if (t[j].type == '=' && t[j + 1].type == '=' && marks && ((i == 0 && !prose) || ph_both_sides(t, j))) {
            return 1;
        }
    }
    return 0;
}

/* for %a in (: cmd.exe's loop, /f with options before. */
static int ph_windows_for(const ph_lexer *x, const ph_tok *t, int i) {
    for (int j = i + 2; j < i + 30 && t[j].type != TK_END; j++) {
        if (ph_is(x, &t[j], "in") && t[j + 1].type == '(') {
            return 1;
        }
    }
    return 0;
}

/* w^hoami, p^o^w: cmd.exe's escapes inside of a command's name; i: the first of them. */
static int ph_escaped_name(const ph_lexer *x, const ph_tok *t, int i) {
    int next, hidden;
    if (i < 1 || t[i - 1].type != TK_WORD || (t[i].flags | t[i + 1].flags) & F_SPACE || (i > 1 && t[i - 2].type == '^')) {
        return 0;
    }
    return ph_command(x, t, i - 1, &next, &hidden) && hidden;
}

/* $env:X, $PSHOME: variables of PowerShell. */
static int ph_powershell_variable(const ph_lexer *x, const ph_tok *t, int i) {
    if (t[i + 1].type != TK_WORD || t[i + 1].flags & F_SPACE) {
        return 0;
    }
    return ph_is_any(x, &t[i + 1], "psversiontable pshome psscriptroot pscommandpath executioncontext psculture")
        || (ph_is(x, &t[i + 1], "env") && t[i + 2].type == ':' && t[i + 3].type == TK_WORD && !((t[i + 2].flags | t[i + 3].flags) & F_SPACE));
}

/* %VAR:~0,1%, %VAR:a=b%, %COMSPEC%: a variable that cmd.exe cuts, replaces in, or that names its own program. */
static int ph_windows_variable(const ph_lexer *x, const ph_tok *t, int i) {
    int j = i + 2;
    if (t[i + 1].type != TK_WORD || (t[i + 1].flags | t[j].flags) & F_SPACE) {
        return 0;
    }
    if (t[j].type == '%') {
        return ph_is_any(x, &t[i + 1], "comspec systemroot windir pathext");
    }
    if (t[j].type != ':' || (t[j + 1].type != '~' && !(t[j + 1].type == TK_WORD && t[j + 2].type == '='))) {
        return 0;
    }
    while (j < i + 10 && t[j].type != '%' && t[j].type != TK_END && !(t[j].flags & F_SPACE)) {
        j++;
    }
    return t[j].type == '%';
}

/* reg query HKLM\.., net user x y /add, sc create x binpath= y: a program of Windows with words of its own, told by what
 * stands behind them: a hive, a share, an option, a field. */
static int ph_windows_line(const ph_lexer *x, const ph_tok *t, int i) {
    int deep = ph_is_any(x, &t[i], "vssadmin wbadmin wevtutil netsh"), next = i + 1 + 2 * (t[i + 1].type == '.' && ph_is(x, &t[i + 2], "exe"));
    if (!ph_is_any(x, &t[i], "net reg sc route wbadmin vssadmin wevtutil netsh") || !ph_subcommand(x, t, i, next)) {
        return 0;
    }
    for (int j = next + 1; j < i + 24 && t[j].type != TK_END && !(t[j].flags & F_LINE); j++) {
        int tight = !(t[j + 1].flags & F_SPACE);
        if ((t[j].type == '\\' && t[j + 1].type == '\\' && t[j].flags & F_SPACE)
            || (t[j + 1].type == '\\' && tight && ph_is_any(x, &t[j], "hklm hkcu hkcr hku hkcc hkey_local_machine hkey_current_user "
                "hkey_classes_root hkey_users hkey_current_config"))
            || (t[j].type == '/' && t[j].flags & F_SPACE && t[j + 1].type == TK_WORD && tight && (t[j + 2].type == TK_END
                || t[j + 2].type == ':' || t[j + 2].flags & F_SPACE))
            || (t[j].type == TK_WORD && t[j + 1].type == '=' && tight && t[j + 2].flags & F_SPACE && ph_is(x, &t[i], "sc"))) {
            return 1;
        }
    }
    return deep && i == 0;
}

/* cmd /c, cmd,/c, if exist, for %a in (, wmic os, rundll32 x.dll: words of cmd.exe's with what must stand behind them. */
static int ph_windows_word(const ph_lexer *x, const ph_tok *t, int i, int prose) {
    uint8_t d = t[i + 1].type;
    if (ph_is(x, &t[i], "cmd")) {
        int mark = (d == ',' || d == ';') && t[i + 2].type == '/' && !prose;
        return (t[i + 1 + mark].type == '/' && ph_is_any(x, &t[i + 2 + mark], "c k r"))
            || (d == '.' && ph_is(x, &t[i + 2], "exe") && (!prose || t[i + 3].type == '/'));
    }
    if (ph_is(x, &t[i], "if")) {
        int not = ph_is(x, &t[i + 1], "not"), first = 1 + ph_is(x, &t[1], "not");
        return (d == '/' && ph_is(x, &t[i + 2], "i")) || (ph_is_any(x, &t[i + 1 + not], "exist cmdextversion errorlevel") && (i == 0 || t[i + 2].type != TK_END))
            || (i == 0 && !prose && ((ph_is(x, &t[first], "defined") && t[i + 2].type != ',') || (t[first + 1].type == '=' && t[first + 2].type == '=')
                || (d == '"' && t[i + 2].type == '%'))) || ph_windows_if(x, t, i, prose);
    }
    if (ph_is(x, &t[i], "for")) {
        return (d == '/' || d == '%') && t[i + 1].flags & F_SPACE && (t[i + 2].type == d || t[i + 2].len == 1 || (ph_is(x, &t[i + 3], "in")
            && t[i + 4].type == '(')) && !(prose && !ph_windows_for(x, t, i));
    }
    return (ph_is(x, &t[i], "wmic") && ph_is_any(x, &t[i + 1], "process os useraccount computersystem service product qfe logicaldisk nic startup "
            "group cpu bios")) || (ph_is(x, &t[i], "rundll32") && d == TK_WORD && (t[i + 2].type == '.' || t[i + 2].type == ','))
        || (ph_is(x, &t[i], "iex") && (d == '"' || d == '\'') && t[i + 1].flags & F_SPACE && t[i + 2].type == TK_WORD && !prose);
}

/* [Type]::Member, [A.B]::C(..): a class of .NET as PowerShell calls it; i: the bracket. 2: a call that ends the value. */
static int ph_net_member(const ph_tok *t, int i) {
    int j = i + 1;
    while (j < i + 12 && (t[j].type == TK_WORD || t[j].type == '.') && !(t[j].flags & F_SPACE)) {
        j++;
    }
    if (j == i + 1 || t[j].type != ']' || t[j + 1].type != ':' || t[j + 2].type != ':' || t[j + 3].type != TK_WORD
        || (t[j].flags | t[j + 1].flags | t[j + 2].flags | t[j + 3].flags) & F_SPACE || t[j + 2].at != t[j + 1].at + 1) {
        return 0;
    }
    for (int k = j + 5; k < i + 36 && t[j + 4].type == '(' && t[k].type != TK_END; k++) {
        if (t[k].type == ')' && t[k + 1].type == TK_END) {
            return 2;
        }
    }
    return 1;
}
#endif
