/* Template and code injection, JNDI look-ups, LDAP filters, NoSQL operators, header splitting,
 * serialized objects.
 */
#ifndef PH_SCAN_OTHER_H
#define PH_SCAN_OTHER_H

#include "ph_scan_asks.h"
#include "ph_scan_delimiter.h"

enum { O_TPL, O_JAVA, O_LDAP, O_NOSQL, O_NODE, O_JNDI, O_PERL };

/* Between { and }: an expression, not a placeholder or JSON. */
static int ph_expression(const ph_lexer *x, const ph_tok *t, int i) {
    static const uint8_t says[128] = {
        [TK_WORD] = 1, [TK_NUM] = 1, ['\''] = 1, ['"'] = 1, ['`'] = 1, [')'] = 1, ['.'] = 1, ['$'] = 1, ['|'] = 1, [':'] = 1,
        ['{'] = 1, ['}'] = 1, [TK_END] = 1,
    };
    int found = 0, json = 0, deep = 0;
    for (int j = i; j < i + 24 && (j > i || ph_says(x, i)); j++) {
        uint8_t c = t[j].type, d = t[j + 1].type;
        if (!says[c]) {
            continue;
        }
        if (c == TK_END || (c == '}' && !deep)) {
            break;
        }
        deep += c == '{' ? 1 : c == '}' ? -1 : 0;
        if (deep > 3) {
            break;
        }
        if ((ph_quote(c) && j > i && d == '.' && t[j + 2].type == TK_WORD && !(t[j + 1].flags & F_SPACE))    /* 'a'.method */
            || (c == TK_WORD && d == '(' && !(t[j + 1].flags & F_SPACE))
            || ((c == TK_NUM || ph_quote(c) || c == ')') && (d == '*' || d == '+' || d == '-' || d == '/' || d == '%'
                || d == '|' || d == '^' || d == '~' || (d == '?' && c != TK_NUM)))) {
            return 2;
        }
        /* a == b, 'a' ~ b, a ? b : c, a ?? b, 6 lt 7: operators of Twig, FreeMarker and EL between two operands */
        found |= (c == TK_WORD || c == TK_NUM || ph_quote(c)) && !json && (((d == '=' || d == '!') && t[j + 2].type == '=')
            || (d == '?' && t[j + 2].type != '}' && t[j + 2].type != TK_END) || (d == '~' && t[j + 2].type <= TK_NUM && t[j + 2].type != TK_END)
            || (d == '!' && ph_quote(t[j + 2].type) && c == TK_WORD) || (t[j + 2].type <= TK_NUM && t[j + 2].type != TK_END && d == TK_WORD
                && c == TK_NUM && ph_is_any(x, &t[j + 1], "eq ne lt gt le ge div mod is in if and or")));
        if (j == i && !found) {
            found = (c == '.' && (d == TK_WORD || d == '}'))                    /* Go's cursor */
                || (c == TK_WORD && d == '"' && t[j + 1].flags & F_SPACE)       /* Go's calls */
                || (c == '$' && t[j + 2].type == ':' && t[j + 3].type == '=')
                || (c == TK_WORD && d == '=' && t[j + 2].type <= TK_NUM && t[j + 2].type != TK_END);    /* {{x=7}} */
        }
        if (c == TK_WORD && (found || (d != '.' && d != '[')) && !(ph_role(x, &t[j]) & R_SCOPE) && ph_at(x->p, x->n, t[j].at, "__")) {
            return 2;
        }
        found |= c == TK_WORD ? d == '.' || d == '[' || ph_role(x, &t[j]) & R_SCOPE : c == '|' && d == TK_WORD;
        json |= c == ':' && j > i && ph_quote(t[j - 1].type);                  /* "key": JSON */
    }
    return json ? 0 : found;
}

/* ${x#a}, ${x//a}, ${x:0:1}, ${!x}: a variable that a shell cuts, replaces in or looks up (POSIX.1, 2.6.2; bash). i: behind {.
 * In a sentence, as its end. */
static int ph_expansion(const ph_lexer *x, const ph_tok *t, int i, int prose) {
    uint8_t c = t[i].type, d = t[i + 1].type, e = t[i + 2].type;
    if ((t[i].flags | t[i + 1].flags | t[i + 2].flags) & F_SPACE) {
        return 0;
    }
    if (prose && x->p[x->n - 1] != '}') {
        return 0;
    }
    if (c == '!') {
        return d == TK_WORD && (e == '}' || e == '*' || e == '@' || e == '[');
    }
    if (c != TK_WORD && c != '@' && c != '*') {
        return 0;
    }
    return d == '#' || (d == '%' && (e == '%' || e == '.' || e == '*' || e == '/' || e == '?'))
        || (d == '/' && (e == '/' || t[i + 3].type == '/'))
        || ((d == '^' || d == ',') && (e == d || e == '}') && t[i + 3].type != TK_WORD)
        || (d == ':' && (e == TK_NUM || (memchr("-=+?", e, 4) && (t[i + 3].kinds & (K_CMD | K_TOOL) || t[i + 3].type == '$'))))
        || (d == '@' && e == TK_WORD && t[i + 2].len == 1 && t[i + 3].type == '}');
}

static void ph_template(const ph_lexer *x, const ph_tok *t, int i, uint64_t *seen, ph_verdict *v) {
    uint8_t c = t[i].type, d = t[i + 1].type;
    if (c == '{' && (d == '{' || d == '%') && !(t[i + 1].flags & F_SPACE)) {
        if (ph_settled(v, PH_S_TEMPLATE, *seen, O_TPL, d == '{' ? 70 : 60)) {
            return;
        }
        int e = ph_expression(x, t, i + 2);
        if (d == '%') {
            int tag = ph_is_any(x, &t[i + 2], "for if set include import extends block macro raw debug load with print "
                "autoescape python csrf_token ssi now filter");
            for (int j = i + 3; !tag && j < i + 24 && t[j].type != TK_END; j++) {
                tag = t[j].type == '%' && t[j + 1].type == '}';
            }
            ph_once(v, PH_S_TEMPLATE, seen, O_TPL, tag || e ? 60 : 20, "template-tag", t[i].at);
        } else {
            int block = (t[i + 2].type == '/' || t[i + 2].type == '#') && ph_is_any(x, &t[i + 3], "each if unless with lookup");
            int word = t[i + 2].type == '@' || t[i + 2].type == '>' || t[i + 2].type == '~' || (t[i + 2].type == '$' && ph_is_any(x, &t[i + 3],
                "root parent eval on apply watch new")) || (ph_is(x, &t[i + 2], "this") && t[i + 3].type == '}') || (t[i + 3].flags & F_SPACE
                && ph_is_any(x, &t[i + 2], "if range with template define block printf html js len call print end else lookup"));
            ph_once(v, PH_S_TEMPLATE, seen, O_TPL, e == 2 ? 70 : e || block || word ? 60 : 20, "template-expression", t[i].at);
        }
    } else if ((c == '$' || c == '#' || c == '*' || c == '@' || c == '~' || c == '%') && d == '{' && !(t[i + 1].flags & F_SPACE)) {
        if (t[i + 2].kinds & K_EVIL || (c == '$' && t[i + 3].type == ':' && ph_is_any(x, &t[i + 2],
                "lower upper env sys java main date ctx log4j jndi bundle web docker k8s spring sd map base64 marker script dns url const"))
            || (c == '$' && t[i + 2].type == ':' && t[i + 3].type == ':')
            || (c == '$' && t[i + 2].type == '$' && t[i + 3].type == '{')
            || (c == '$' && t[i + 2].type == TK_WORD && t[i + 3].type == '$' && t[i + 4].type == '{' && !(t[i + 3].flags & F_SPACE))) {
            ph_once(v, PH_S_JNDI, seen, O_JNDI, 80, "lookup", t[i].at);
        } else if (c == '$' && ph_at(x->p, x->n, t[i + 2].at, "jn")) {
            ph_once(v, PH_S_JNDI, seen, O_JNDI, 80, "lookup", t[i].at);
        } else if (!ph_settled(v, PH_S_TEMPLATE, *seen, O_TPL, 60)) {
            int e = ph_expression(x, t, i + 2);
            int code = (c == '$' && v->where != PH_W_JSON && ph_expansion(x, t, i + 2, v->prose)) || (t[i + 2].type == '#' && t[i + 3].type == TK_WORD && c == '%' && !v->prose) || (t[i + 2].type == '(' && t[i + 3].type == '#') || (c == '@' && ph_is_any(x, &t[i + 2], "var int string if foreach for"));
            unsigned points = e == 2 || code || (e && !v->prose && v->where != PH_W_JSON) ? 60 : e ? 50 : t[i + 2].type == TK_NUM || t[i + 2].type == '$' ? 40 : 20;
            ph_once(v, PH_S_TEMPLATE, seen, O_TPL, points, "expression-language", t[i].at);
        }
    } else if (c == '$' && d == '&' && (ph_at(x->p, x->n, t[i + 2].at, "lbrace") || ph_at(x->p, x->n, t[i + 2].at, "lcub"))) {
        ph_once(v, PH_S_JNDI, seen, O_JNDI, 80, "lookup", t[i].at);     /* ${ with an entity left open */
    } else if (c == '<' && (d == '%' || d == '#' || (d == '@' && t[i + 2].type == TK_WORD)) && !(t[i + 1].flags & F_SPACE)) {
        ph_once(v, PH_S_TEMPLATE, seen, O_TPL, d == '#' && t[i + 2].type != TK_WORD ? 10 : 60, "template-tag", t[i].at);
    } else if (c == '#' && t[i + 2].type == '(' && (ph_is_any(x, &t[i + 1], "set foreach include parse evaluate define")
               || (!v->prose && !(t[i + 2].flags & F_SPACE) && ph_is_any(x, &t[i + 1], "if elseif macro")))) {
        ph_once(v, PH_S_TEMPLATE, seen, O_TPL, 60, "velocity", t[i].at);
    } else if (c == '@' && d == TK_WORD) {
        if (ph_template_more(x, t, i, v)) {
            ph_once(v, PH_S_TEMPLATE, seen, O_TPL, 60, "razor", t[i].at);
        } else if (i == 0 && t[2].type == '.' && ph_is_any(x, &t[1], "datetime environment html system viewbag") && ph_is_any(x, &t[3],
                "now utcnow machinename raw partial diagnostics io reflection")) {
            ph_once(v, PH_S_TEMPLATE, seen, O_TPL, 60, "razor", t[i].at);
        }
    } else if (c == '@' && d == '(' && !v->prose && ph_sum(t, i + 2 + (t[i + 2].type == '('))) {
        ph_once(v, PH_S_TEMPLATE, seen, O_TPL, 60, "razor", t[i].at);
    } else if (c == '@' && (d == '(' || d == '{') && (t[i + 2].type == TK_NUM || (t[i + 2].type == '[' && d == '{'))) {
        ph_once(v, PH_S_TEMPLATE, seen, O_TPL, 60, "razor", t[i].at);
    } else if (c == '{' && ph_is_any(x, &t[i + 1], "php literal system include eval") && t[i + 2].type == '}') {
        ph_once(v, PH_S_TEMPLATE, seen, O_TPL, 60, "smarty", t[i].at);
    } else if (c == '{' && d == '$' && ph_is(x, &t[i + 2], "smarty") && t[i + 3].type == '.') {
        ph_once(v, PH_S_TEMPLATE, seen, O_TPL, 60, "smarty", t[i].at);
    } else if (c == '{' && d == TK_WORD && ph_at(x->p, x->n, t[i + 1].at, "smarty_")) {
        ph_once(v, PH_S_TEMPLATE, seen, O_TPL, 60, "smarty", t[i].at);
    } else if (c == '#' && d == TK_WORD && t[i + 2].type == '[' && ph_quote(t[i + 3].type)
               && ph_is_any(x, &t[i + 1], "context application session request parameters attr _memberaccess")) {
        ph_once(v, PH_S_TEMPLATE, seen, O_TPL, 60, "expression-language", t[i].at);
    } else if (c == '{' && ph_is_any(x, &t[i + 1], "math eval fetch include html_options capture section foreach assign config_load "
                   "function block extends counter cycle html_image insert textformat mailto")
               && t[i + 2].type == TK_WORD && t[i + 3].type == '=') {
        ph_once(v, PH_S_TEMPLATE, seen, O_TPL, 60, "smarty", t[i].at);
    } else if (c == '{' && ph_summed(t, i) && (!v->prose || d == TK_NUM)) {
        ph_once(v, PH_S_TEMPLATE, seen, O_TPL, 60, "template-expression", t[i].at);
    } else if (c == '{' && d == '$' && t[i + 2].type == '{') {
        ph_once(v, PH_S_TEMPLATE, seen, O_TPL, 60, "php-interpolation", t[i].at);
    } else if (ph_template_more(x, t, i, v)) {
        ph_once(v, PH_S_TEMPLATE, seen, O_TPL, 60, "template-expression", t[i].at);
    } else if (c == '[' && d == '[' && t[i + 2].type == '$' && t[i + 3].type == '{') {
        ph_once(v, PH_S_TEMPLATE, seen, O_TPL, 60, "thymeleaf", t[i].at);
    }
}

/* What programs ask of themselves: a schema of GraphQL (its specification, 4), classes and scopes of Python. */
static int ph_reflected(const ph_lexer *x, const ph_tok *t, int i) {
    uint8_t b = i ? t[i - 1].type : 0, d = t[i + 1].type;
    if (ph_is_any(x, &t[i], "__class__ __globals__ __mro__ __bases__ __base__ __dict__")) {
        return (b == '.' || b == '[' || ph_quote(b)) && (d == '.' || d == '[' || d == '(' || b == '.');
    }
    if (ph_is(x, &t[i], "__schema")) {
        return d == '{' || (b == '{' && d == TK_END);
    }
    if (ph_is(x, &t[i], "__type")) {
        return (d == '(' && t[i + 3].type == ':') || (b == TK_WORD && ph_is(x, &t[i - 1], "on") && d == '{');
    }
    return ph_is(x, &t[i], "introspectionquery") && (d == '{' || d == '(');
}

static void ph_code(const ph_lexer *x, const ph_tok *t, int i, uint64_t *seen, ph_verdict *v) {
    uint8_t c = t[i].type, d = t[i + 1].type;
    uint32_t k = t[i].kinds;
    if (c == TK_WORD && k) {
        if (k & K_JAVA && (d == '.' || d == '(' || (i && t[i - 1].type == '.'))) {
            int loud = t[i].len > 9 || ph_is_any(x, &t[i], "forname getclass ognl");
            ph_once(v, PH_S_CODE, seen, O_JAVA, loud || t[i + 2].kinds & K_JAVA ? v->where == PH_W_JSON && !v->prose ? 80 : 60 : 30, "java-class", t[i].at);
        } else if (k & K_JAVA && t[i].len > 12 && !v->prose) {
            ph_once(v, PH_S_CODE, seen, O_JAVA, 50, "java-class", t[i].at);
        }
        if (k & K_NODE) {
            unsigned points = ph_is_any(x, &t[i], "child_process spawnsync execsync mainmodule __proto__ __js_function _js_function") ? 60
                : ph_is(x, &t[i], "require") && ((d == '(' && ph_quote(t[i + 2].type)) || (d == '[' && !(t[i + 1].flags & F_SPACE))
                    || (d == '.' && ph_is_any(x, &t[i + 2], "main cache extensions resolve"))) ? 60
                : ph_is(x, &t[i], "exports") && ((i > 1 && t[i - 1].type == '.' && ph_is(x, &t[i - 2], "module"))
                    || (i == 0 && (d == '=' || (d == '.' && t[i + 3].type == '=')))) ? 60
                : ph_is(x, &t[i], "process") && ((d == '.' && ph_is_any(x, &t[i + 2], "mainmodule binding env exit kill argv execpath "
                    "stdout stdin stderr dlopen"))
                    || d == '[') ? 60
                : ph_is(x, &t[i], "constructor") && d == '.' && ph_is_any(x, &t[i + 2], "prototype constructor") ? 60
                : ph_is(x, &t[i], "constructor") && d == '[' && ph_quote(t[i + 2].type) ? 60
                : ph_is(x, &t[i], "constructor") && ph_quote(d) && t[i + 2].type == ':' && t[i + 3].type == '{' && ph_is(x, &t[i + 5], "prototype") ? 60 : 0;
            if (points) {
                ph_once(v, PH_S_CODE, seen, O_NODE, points, "node-object", t[i].at);
            } else if (!v->prose && ph_reflected(x, t, i)) {
                ph_once(v, PH_S_CODE, seen, O_NODE, v->where == PH_W_JSON ? 30 : 60, "reflection", t[i].at);
            }
        }
    } else if (c == TK_WORD && (x->p[t[i].at] == 'j' || x->p[t[i].at] == 'c' || x->p[t[i].at] == 'o') && d == '.') {
        if ((ph_is(x, &t[i], "java") && ph_is_any(x, &t[i + 2], "lang io util net nio")) || (ph_is_any(x, &t[i], "com org")
             && ph_is_any(x, &t[i + 2], "sun opensymphony apache omg") && t[i + 3].type == '.' && (ph_is_any(x, &t[i + 4],
             "org xwork2 commons struts2 collections corba") || ph_is(x, &t[i + 2], "sun")) && t[i + 5].type != '-')) {
            ph_once(v, PH_S_CODE, seen, O_JAVA, 60, "java-class", t[i].at);
        }
    } else if (c == '@' && d == '{' && t[i + 2].type == '[') {
        ph_once(v, PH_S_CODE, seen, O_PERL, 60, "perl-interpolation", t[i].at);
    } else if (c == '$' && d == '$' && ph_is(x, &t[i + 2], "nd_func")) {
        ph_once(v, PH_S_CODE, seen, O_NODE, 80, "serialized-function", t[i].at);
    } else if (c == '$' && d == TK_WORD && (i == 0 || t[i - 1].type == '[' || t[i - 1].type == '{' || ph_quote(t[i - 1].type) || t[i].flags & F_SPACE)
               && ph_is_any(x, &t[i + 1], "ne gt lt gte lte eq regex where in nin exists or and not nor elemmatch expr "
                   "function jsonschema type mod text options all size comment lookup group match set unset push pull inc rename "
                   "accumulator out merge project natural max min slice unwind addfields")
               && (t[i + 2].type == ']' || ph_quote(t[i + 2].type) || t[i + 2].type == ':' || t[i + 2].type == TK_END)) {
        ph_once(v, PH_S_NOSQL, seen, O_NOSQL, t[i + 2].type == TK_END && v->where != PH_W_KEY ? 40 : 60, "operator", t[i].at);
    } else if (c == '(' || c == ')' || c == '*') {
        if ((c == ')' && d == '(' && (t[i + 2].type == '|' || t[i + 2].type == '&' || t[i + 2].type == '!'
                || (t[i + 2].type == TK_WORD && (t[i + 3].type == '=' || t[i + 3].type == '<' || t[i + 3].type == '>'
                    || t[i + 3].type == '~' || (t[i + 3].type == ':' && (t[i + 4].type == TK_NUM || t[i + 4].type == '='
                        || ph_is(x, &t[i + 4], "dn")))))))
            || (c == '(' && (d == '|' || d == '&') && t[i + 2].type == '(') || (c == '*' && d == ')' && t[i + 2].type == '(')
            || (c == '*' && d == '(' && (t[i + 2].type == '|' || t[i + 2].type == '&'
                || (t[i + 2].type == ')' && (t[i + 3].type == '|' || t[i + 3].type == '&'))))
            || (c == '(' && d == '!' && t[i + 2].type == '(' && t[i + 3].type == TK_WORD && (t[i + 4].type == '=')
                && !(t[i + 4].flags & F_SPACE))
            || (c == '(' && d == TK_WORD && t[i + 2].type == '=' && t[i + 3].type == '*' && t[i + 4].type == ')')
            || (c == ')' && d == '(' && (t[i + 2].type == '&' || t[i + 2].type == '|'))
            || (c == '*' && d == ')' && t[i + 2].type == ')') || (c == '*' && d == ')' && t[i + 2].type == TK_END && i == 0)) {
            ph_once(v, PH_S_LDAP, seen, O_LDAP, 60, "filter", t[i].at);
        }
    } else if (c == ':' && d == '=' && i > 2 && (t[i - 1].type == TK_NUM || t[i - 1].type == TK_WORD) && t[i - 2].type == ':'
               && t[i - 3].type == TK_WORD) {             /* attr:2.5.13.18:=value, RFC 4515 */
        ph_once(v, PH_S_LDAP, seen, O_LDAP, 60, "extensible-match", t[i].at);
    } else if (c == ';' && ((ph_is(x, &t[i + 1], "return") && (ph_is_any(x, &t[i + 2], "true false") || t[i + 2].type == TK_NUM || ph_quote(t[i + 2].type)) && t[i + 3].type != TK_WORD)
               || (ph_is_any(x, &t[i + 1], "var let const") && t[i + 2].type == TK_WORD && t[i + 3].type == '='))) {
        ph_once(v, PH_S_NOSQL, seen, O_NOSQL, 60, "script-after-break", t[i].at);
    } else if (t[i].flags & F_LINE && c != TK_WORD) {
        return;
    }
    if (c == TK_WORD && d == '.' && k & K_OBJ && ph_is(x, &t[i], "this") && t[i + 2].type == TK_WORD && t[i + 3].type == '.'
        && ph_is_any(x, &t[i + 4], "match test length charat substring") && v->where != PH_W_JSON) {
        ph_once(v, PH_S_NOSQL, seen, O_NOSQL, 60, "document-field", t[i].at);
    } else if (c == TK_WORD && k & K_OBJ && d == '(' && t[i + 2].type == ')' && t[i + 3].type == '{' && ph_is(x, &t[i], "function")
               && v->where != PH_W_JSON && (ph_is_any(x, &t[i + 4], "return emit this var sleep while do if"))) {
        ph_once(v, PH_S_NOSQL, seen, O_NOSQL, 60, "function", t[i].at);
    } else if (c == TK_WORD && ph_is(x, &t[i], "db") && d == '.' && t[i + 3].type == '(' && ph_is_any(x, &t[i + 2], "getcollectionnames "
               "getcollection getname dropdatabase stats eval runcommand admincommand getusers getsiblingdb")) {
        ph_once(v, PH_S_NOSQL, seen, O_NOSQL, 60, "shell-call", t[i].at);
    } else if (c == TK_WORD && ph_is(x, &t[i], "do") && d == '{' && i && (t[i - 1].type == ';' || t[i - 1].type == ')')) {
        ph_once(v, PH_S_NOSQL, seen, O_NOSQL, 60, "script-after-break", t[i].at);
    }
    if (c == TK_WORD && d == '.' && ph_is(x, &t[i], "db") && t[i + 2].type == TK_WORD && t[i + 3].type == '.'
        && t[i + 5].type == '(' && ph_is_any(x, &t[i + 4], "insert insertone insertmany find findone remove deleteone "
        "deletemany drop update updateone aggregate mapreduce")) {
        ph_once(v, PH_S_NOSQL, seen, O_NOSQL, 60, "shell-call", t[i].at);
    }
}

/* Case counts: base64 and class names. Index 5 and 6 are functions. */
static const char *const ph_object_marks[] = {"rO0AB", "aced0005", "KztAAU", "Cs7QAF", "AAEAAAD/////",
    "XyQkTkRfRlVOQyQkX", "XyQkXHUwMDRl", "ADw-", "gASV", "gAWV", NULL};

/* Base64 of Ruby's Marshal 4.8 with an object, a hash, a list, a string or a class, or of a pickle with its protocol. */
static int ph_marshal64(const uint8_t *p, size_t n) {
    static const char *const heads[] = {"BAh7", "BAhb", "BAhJ", "BAhj", "BAhv", "gAJj", "gAN9", "gAR9", "KGRwM", "KGxwM"};
    int high = 0, low = 0, other = 0;
    if (n < 12 || (p[0] != 'B' && p[0] != 'g' && p[0] != 'K')) {
        return 0;
    }
    for (size_t h = 0; h < sizeof heads / sizeof *heads; h++) {
        if (p[0] == (uint8_t)heads[h][0] && ph_at(p, n, 0, heads[h])) {
            for (size_t k = strlen(heads[h]); k < n && k < 64; k++) {
                high += p[k] >= 'A' && p[k] <= 'Z';
                low += ph_lower(p[k]);
                other |= !(ph_alnum(p[k] | 32) || p[k] == '+' || p[k] == '/' || p[k] == '=' || p[k] == '-' || p[k] == '_');
            }
            return !other && high > 2 && low > 1;
        }
    }
    return 0;
}

/* On the text as it came: what changes with its case. */
static void ph_serialized(const ph_teddy *names, const uint8_t *p, size_t n, ph_verdict *v) {
    ph_hit hit = {0, 0};
    for (size_t from = 0; from < n; from = hit.at + 1) {
        hit = ph_teddy_find(names, p, n, from);
        if (hit.index == UINT32_MAX) {
            break;
        }
        if (hit.index > 7 && hit.at) {                        /* short: a pickle's first four letters */
            continue;
        }
        const char *mark = ph_object_marks[hit.index];
        if (memcmp(p + hit.at, mark, strlen(mark)) == 0 || (hit.index == 1 && memcmp(p + hit.at, "ACED0005", 8) == 0)) {
            ph_add(v, PH_S_CODE, hit.index == 5 || hit.index == 6 ? 80 : 60,
                hit.index == 7 ? "utf-7" : hit.index == 5 || hit.index == 6 ? "serialized-function" : "serialized-object", hit.at);
            return;
        }
    }
    if (n > 3 && ((p[0] == 4 && p[1] == 8 && memchr("[{oicmuIe\":@U", p[2], 13)) || (p[0] == 0x80 && p[1] >= 2 && p[1] <= 5 && n > 6
            && (p[1] < 4 ? memchr("c}](X]q", p[2], 7) != NULL : p[2] == 0x95)))) {
        ph_add(v, PH_S_CODE, 60, "serialized-object", 0);   /* Ruby's Marshal 4.8, Python's pickles of the second protocol and later */
    }
    if (ph_marshal64(p, n)) {
        ph_add(v, PH_S_CODE, 60, "serialized-object", 0);
    }
    if (n > 5 && (p[0] == 'O' || p[0] == 'o' || p[0] == 'E' || p[0] == 'a' || p[0] == 'C' || p[0] == 's') && p[1] == ':' && (ph_digit(p[2]) || p[2] == '+')) {
        size_t k = 3;
        while (k < n && ph_digit(p[k])) {
            k++;
        }
        if (k + 1 < n && p[k] == ':' && (p[k + 1] == '"' || p[k + 1] == '{')) {
            ph_add(v, PH_S_CODE, 60, "php-object", 0);
        }
    }
}
#endif
