/* Programs of an application's own language: loops without an end, classes and packages (Java); whole requests, scanners. */
#ifndef PH_SCAN_PROGRAM_H
#define PH_SCAN_PROGRAM_H

#include "ph_scan_lex.h"

enum { G_CALL, G_LOOP, G_CLASS, G_LINE, G_TOOL };

/* while(1), while(!0), for(;;): no condition that ever fails. */
static int ph_endless(const ph_lexer *x, const ph_tok *t, int i) {
    int j = i + 2, constant = 0;
    if (t[i + 1].type != '(' || t[i + 1].flags & F_SPACE) {
        return 0;
    }
    if (ph_is(x, &t[i], "for")) {
        return t[j].type == ';' && t[j + 1].type == ';';
    }
    while (j < i + 8 && (t[j].type == '(' || t[j].type == '!' || t[j].type == '-' || t[j].type == '+' || t[j].type == '~' || ph_is(x, &t[j], "new"))) {
        constant |= t[j].type == TK_WORD;
        j++;
    }
    if (ph_quote(t[j].type) && t[j + 1].type == t[j].type) {
        return t[j + 2].type == ')';
    }
    constant |= t[j].type == TK_NUM || ph_is_any(x, &t[j], "true infinity nan date null undefined false this");
    return constant && (t[j + 1].type == ')' || (t[j + 1].type == '(' && t[j + 2].type == ')'));
}

/* A package of Java's that only its own programs name. *far: how many parts it must have. */
static int ph_java_package(const ph_lexer *x, const ph_tok *t, int i) {
    const ph_tok *b = &t[i + 2], *d = &t[i + 4];
    if (t[i + 1].type != '.' || t[i + 1].flags & F_SPACE || b->type != TK_WORD || b->flags & F_SPACE) {
        return 0;
    }
    if (ph_is(x, &t[i], "java")) {
        return ph_is_any(x, b, "lang io util net nio rmi beans sql awt security runtime processbuilder text");
    }
    if (ph_is(x, &t[i], "javax")) {
        return ph_is_any(x, b, "script naming management el crypto xml imageio swing servlet");
    }
    if (ph_is(x, &t[i], "sun")) {
        return ph_is_any(x, b, "misc reflect rmi net");
    }
    if (ph_is(x, &t[i], "groovy")) {
        return ph_is_any(x, b, "lang util");
    }
    if (ph_is(x, &t[i], "com")) {
        return ph_is_any(x, b, "sun opensymphony mchange") && t[i + 3].type == '.' && d->type == TK_WORD;
    }
    return ph_is(x, &t[i], "org") && t[i + 3].type == '.' && t[i + 5].type != '-' && ((ph_is_any(x, b, "apache") && ph_is_any(x, d,
        "commons struts2 xalan xbean tomcat catalina logging wicket ibatis velocity naming bcel")) || (ph_is(x, b, "omg") && ph_is(x, d, "corba"))
        || (ph_is_any(x, b, "springframework codehaus hibernate jboss mozilla python") && t[i + 5].type == '.'));
}

/* GET http://host/ HTTP/1.1: a request in a value. */
static int ph_whole_request(const ph_lexer *x, const ph_tok *t, int i) {
    for (int j = i + 1; j < i + PH_AHEAD - 3 && t[j].type != TK_END && t[1].flags & F_SPACE; j++) {
        if (ph_is(x, &t[j], "http") && t[j].flags & F_SPACE && t[j + 1].type == '/' && t[j + 2].type == TK_NUM) {
            return t[i + 1].type == '/' || t[i + 1].kinds & K_SCHEME;
        }
    }
    return 0;
}

/* nuclei, sqlmap/1.4: how a scanner names itself. */
static int ph_scanner_name(const ph_lexer *x, const ph_tok *t, int i) {
    if (ph_is(x, &t[i], "nmap")) {
        return ph_is_any(x, &t[i + 1], "scripting nse");
    }
    return t[i].kinds & K_AGENT && (i == 0 || t[i + 1].type == TK_END || (t[i + 1].type == '/'
        && t[i + 2].type == TK_NUM)) && !(i && (t[i - 1].type == '.' || t[i - 1].type == '-'));
}

/* $Version (RFC 2109, RFC 2965) first in a cookie: a reader of the old kind takes quotes across the next cookies, one of the
 * new kind does not. Old clients send a number, and no quote around more than one cookie. */
static int ph_old_cookie(const ph_lexer *x, const ph_tok *t) {
    if (!ph_is(x, &t[1], "version") || t[1].flags & F_SPACE) {
        return 0;
    }
    int quoted = 0;
    for (int j = 2; j < PH_AHEAD && t[j].type != TK_END; j++) {
        quoted ^= t[j].type == '"';
        if (quoted && t[j].type == ';') {
            return 1;
        }
    }
    return t[2].type != '=' || !(t[3].type == TK_NUM || t[3].type == '"');
}

/* T(System).getenv() (SpEL, 4.3.9), System.exit(0), Eval.me('x'): classes of every Java program, called. */
static int ph_java_call(const ph_lexer *x, const ph_tok *t, int i) {
    const ph_tok *b = &t[i + 2];
    if ((t[i + 1].flags | b->flags) & F_SPACE || b->type != TK_WORD) {
        return 0;
    }
    if (t[i + 1].type == '(') {
        return t[i].len == 1 && x->p[t[i].at] == 't' && t[i + 3].type == ')' && t[i + 4].type == '.' && t[i + 6].type == '('
            && ph_is_any(x, b, "system runtime math thread class string character integer");
    }
    if (t[i + 1].type != '.' || t[i + 3].type != '(' || (i && t[i - 1].type == '.')) {
        return 0;
    }
    return (ph_is(x, &t[i], "system") && ph_is_any(x, b, "exit getproperty getproperties setproperty getenv loadlibrary setsecuritymanager "
        "getsecuritymanager nanotime currenttimemillis")) || (ph_is(x, &t[i], "eval") && ph_is(x, b, "me"))
        || (ph_is(x, &t[i], "jndi") && ph_is(x, b, "lookup"));
}

/* die(md5(1)), echo phpversion(): what is asked to see whether an answer shows it. */
static int ph_printed(const ph_lexer *x, const ph_tok *t, int i) {
    int j = i - 1 - (i > 1 && t[i - 1].type == '(');
    return i && t[i + 1].type == '(' && !(t[i + 1].flags & F_SPACE) && t[j].type == TK_WORD && ph_is_any(x, &t[i], "md5 sha1 crc32 phpversion "
        "php_uname getcwd base64_decode str_rot13 bin2hex hex2bin gethostname get_current_user strrev chr pi")
        && ph_is_any(x, &t[j], "echo print die exit var_dump print_r printf var_export");
}

/* jndi:ldap://, sys.modules['os']: a name that asks for an object elsewhere. */
static int ph_looked_up(const ph_lexer *x, const ph_tok *t, int i) {
    if (t[i + 1].flags & F_SPACE || t[i + 2].type != TK_WORD || t[i + 2].flags & F_SPACE) {
        return 0;
    }
    return (ph_is(x, &t[i], "jndi") && t[i + 1].type == ':' && t[i + 3].type == ':' && ph_is_any(x, &t[i + 2], "ldap ldaps rmi dns iiop corba nis nds http"))
        || (ph_is(x, &t[i], "sys") && t[i + 1].type == '.' && ph_is(x, &t[i + 2], "modules") && t[i + 3].type == '[');
}

static void ph_program(const ph_lexer *x, const ph_tok *t, int i, uint64_t *seen, ph_verdict *v) {
    uint8_t c = t[i].type;
    if (c != TK_WORD) {
        if (c == ')' && t[i + 1].type == '.' && i > 3 && t[i + 3].type == '(' && ph_quote(t[i - 1].type) && t[0].type == '$' && t[1].type == '('
                   && ph_quote(t[2].type) && v->where != PH_W_JSON) {
            ph_once(v, PH_S_XSS, seen, G_CALL, 60, "script-selector", t[i].at);
        } else if (c == '-' && i == 0 && ph_is_any(x, &t[1], "oproxycommand")) {
            ph_once(v, PH_S_SHELL, seen, G_TOOL, 60, "option", t[i].at);
        } else if (c == '$' && i == 0 && v->where == PH_W_HEADER && ph_old_cookie(x, t)) {
            ph_once(v, PH_S_HEADER, seen, G_LINE, 70, "cookie-version", t[i].at);
        }
        return;
    }
    if (ph_is_any(x, &t[i], "while for") && ph_endless(x, t, i)) {
        ph_once(v, PH_S_CODE, seen, G_LOOP, v->prose ? 30 : 60, "endless-loop", t[i].at);
    } else if (ph_java_package(x, t, i) && !(i && t[i - 1].type == '.')) {
        ph_once(v, PH_S_CODE, seen, G_CLASS, v->prose ? 30 : v->where == PH_W_JSON ? 80 : 60, "java-class", t[i].at);
    } else if (!v->prose && v->where != PH_W_JSON && (ph_java_call(x, t, i) || ph_looked_up(x, t, i) || ph_printed(x, t, i))) {
        ph_once(v, PH_S_CODE, seen, G_CLASS, 60, "java-class", t[i].at);
    } else if (ph_is(x, &t[i], "class") && t[i + 1].type == '.' && (ph_is(x, &t[i + 2], "classloader") || (ph_is(x, &t[i + 2], "module")
               && t[i + 3].type == '.' && ph_is(x, &t[i + 4], "classloader")))) {
        ph_once(v, PH_S_CODE, seen, G_CLASS, 60, "class-loader", t[i].at);
    } else if (ph_is(x, &t[i], "constructor") && ((t[i + 1].type == '[' && ph_is(x, &t[i + 2], "prototype"))
               || (t[i + 1].type == ':' && ph_is(x, &t[i + 2], "constructor")))) {
        ph_once(v, PH_S_CODE, seen, G_CLASS, 60, "prototype", t[i].at);
    } else if (ph_is(x, &t[i], "console") && t[i + 1].type == '.' && t[i + 2].type == TK_WORD && t[i + 3].type == '(' && !v->prose
               && ph_is_any(x, &t[i + 2], "log info warn error debug table dir trace assert")) {
        ph_once(v, PH_S_CODE, seen, G_CALL, v->where == PH_W_JSON ? 30 : 60, "console", t[i].at);
    }
    if (ph_is(x, &t[i], "cookie") && i && t[i - 1].type == '.' && t[i + 1].type == '=' && !v->prose) {
        for (int j = i + 2; j < i + PH_AHEAD - 2 && t[j].type != TK_END; j++) {
            if (t[j].type == ';' && ph_is_any(x, &t[j + 1], "expires domain path max") && (t[j + 2].type == '=' || t[j + 2].type == '-')) {
                ph_once(v, PH_S_HEADER, seen, G_LINE, 60, "cookie-set", t[i].at);
                break;
            }
        }
    }
    if (i == 0 && ((ph_is(x, &t[0], "ip6") && t[1].type == '-' && ph_is_any(x, &t[2], "localhost loopback localnet allnodes allrouters mcastprefix")
            && (t[3].type == TK_END || t[3].type == '/' || t[3].type == ':'))
            || (ph_is_any(x, &t[0], "localhost localhost4 localhost6") && t[1].type == '.' && ph_at(x->p, x->n, t[2].at, "localdomain"))
            || (ph_is(x, &t[0], "unix") && t[1].type == ':' && t[3].type == '|' && t[4].kinds & K_SCHEME && t[5].type == ':'))) {
        ph_once(v, PH_S_SSRF, seen, G_TOOL, 60, "internal-host", t[i].at);
    }
    if (t[i].flags & F_FIRST && ph_is_any(x, &t[i], "get post put head delete options connect trace") && ph_whole_request(x, t, i)) {
        ph_once(v, PH_S_HEADER, seen, G_LINE, 60, "request", t[i].at);
    } else if (v->where == PH_W_HEADER && ph_scanner_name(x, t, i)) {
        ph_once(v, PH_S_HEADER, seen, G_TOOL, 70, "scanner", t[i].at);
    }
}
#endif
