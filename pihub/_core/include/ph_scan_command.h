/* Whether words are a shell's command: its name (quotes, backslashes and empty variables taken out) and what stands
 * behind it. ph_scan_shell.h asks.
 */
#ifndef PH_SCAN_COMMAND_H
#define PH_SCAN_COMMAND_H

#include "ph_scan_expand.h"

/* What a whole name means; an interpreter's or a compiler's with its version behind it too: python3, gcc12. */
static uint32_t ph_name_kinds(const ph_words *w, const char *name, size_t m) {
    for (size_t k = m; k; k--) {
        uint32_t slot;
        const ph_word *found = &w->all[ph_word_find(w, (const uint8_t *)name, k, &slot)];
        if (found->kinds & (K_CMD | K_TOOL)) {
            return k == m || found->roles & R_VERSIONED ? found->kinds : 0;
        }
        if (!ph_digit((uint8_t)name[k - 1]) || k + 3 <= m) {
            break;
        }
    }
    return 0;
}

/* The command that begins at token i, across quotes and backslashes. *next: after it. *hidden: something stands in its name,
 * 2: no quote alone, as in user's. */
static uint32_t ph_command(const ph_lexer *x, const ph_tok *t, int i, int *next, int *hidden) {
    char name[32] = {0};
    size_t m = 0;
    int j = i, ansi = 0, quotes = 0, words = 0, carets = 0, joined = 0, empty = 0, slashes = 0;
    *hidden = 0;
    *next = i;
    if (t[i].type == '$' && t[i + 1].type == '\'' && !(t[i + 1].flags & F_SPACE)) {
        ansi = ++j;                                       /* $'id' */
    }
    while (j < i + 8 && (t[j].type == '/' || t[j].type == '.' || (t[j].type == TK_WORD && t[j + 1].type == '/'
            && !(t[j + 1].flags & F_SPACE)))) {          /* /usr/bin/ */
        j++;
    }
    for (; j < i + 24; j++) {
        if (j > i && t[j].flags & F_SPACE && m && !joined) {
            break;
        }
        joined = 0;
        if (m && j < i + 14 && (t[j].type == '$' || t[j].type == '`') && (empty = ph_nothing(t, j)) != 0) {
            *hidden = 1;
            j += empty - 1;
            continue;
        }
        if (m && ph_joined(x, t, j) && t[j + 1].type == TK_WORD) {
            joined = *hidden = 1;
            continue;
        }
        if (t[j].type == '`' && m && t[j + 1].type != '`') {
            break;                                        /* ends the substitution */
        }
        slashes += t[j].type == '\\';
        if (t[j].type == '\\' && m && (slashes < 3 || slashes <= (int)m) && t[j + 1].len == 1 && ph_is_any(x, &t[j + 1], "n r") && (t[j + 2].flags & F_SPACE
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
            quotes += ph_quote(t[j].type);
            carets += t[j].type == '^';
        } else {
            break;
        }
    }
    *next = j;
    if (!m) {
        return 0;
    }
    *hidden = (ansi && ph_quote(t[j].type)) || (*hidden && words > 1 && (carets != 1 || m > 3));      /* l^s may be a power */
    *hidden *= 1 + !(quotes & 1);
    uint32_t kinds = ph_name_kinds(x->words, name, m);
    for (int parts = 0; parts < 3 && !*hidden && (t[j].type == '-' || t[j].type == '.') && !((t[j].flags | t[j + 1].flags) & F_SPACE)
         && (t[j + 1].type == TK_WORD || t[j + 1].type == TK_NUM); parts++) {
        if (kinds && t[j].type == '.' && t[j + 1].type == TK_NUM) {
            j += 2;                                       /* python3.11 */
            *next = j;
            break;
        }
        int file = t[j].type == '.' && t[j + 1].type == TK_WORD && (kinds || parts);
        if (m + 1 + t[j + 1].len >= sizeof name) {
            break;
        }
        name[m++] = (char)t[j].type;                      /* ssh-keygen, run-parts, mkfs.ext4 */
        memcpy(name + m, x->p + t[j + 1].at, t[j + 1].len);
        m += t[j + 1].len;
        j += 2;
        uint32_t longer = ph_name_kinds(x->words, name, m) & (K_CMD | K_TOOL);
        if (longer) {
            *next = j;
            kinds = longer;
        } else if (file) {
            return 0;                                     /* init.d, cat.txt */
        }
    }
    return kinds & (K_CMD | K_TOOL | K_SPOKEN);
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
    if (a->type == '+' && !(a->flags & F_SPACE) && t[j + 1].len == 1 && t[j + 1].type == TK_WORD && t[j + 2].type == ':') {
        return 3;                                         /* dir+c: */
    }
    if (a->type == '+' && a->flags & F_SPACE && t[j + 1].type == TK_WORD && !(t[j + 1].flags & F_SPACE)) {
        return 3;                                         /* dig +short */
    }
    if ((a->type == '@' && a->flags & F_SPACE && t[j + 1].type == TK_NUM && !(t[j + 1].flags & F_SPACE)) || (a->type == '.' && a->flags & F_SPACE
            && t[j + 1].type == '-' && t[j + 1].flags & F_SPACE && t[j + 2].type == TK_WORD && !(t[j + 2].flags & F_SPACE))) {
        return 3;                                         /* dig @8.8.8.8, find . -type */
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
        return t[j + 1].type == '>' && !(t[j + 1].flags & F_SPACE) ? 3 : 2;
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
        return n == TK_END || n == '|' || n == ';' || n == '&' || n == '`' || n == '$' || n == '>' || (n == '#' && t[j + 1].flags & F_SPACE)
            || (ph_quote(n) && t[j + 2].type == TK_END) || (n == ')' && t[j + 2].type == TK_END) ? 1 : 0;
    }
    if (a->type == '(' && (t[j + 1].kinds & K_TOOL || (ph_is(x, &t[j + 1], "new") && t[j + 2].type == '-'))) {
        return 3;                                         /* iex (iwr */
    }
    return a->type == '(' ? 0 : a->flags & F_LINE ? 1 : 0;
}

/* A command whose name people say as well: cut & paste, date|time, yes|no. */
static int ph_everyday(const ph_lexer *x, const ph_tok *t, uint32_t kinds) {
    return (kinds & K_SPOKEN && !(kinds & K_TOOL)) || ph_is_any(x, t, "cat find time view date type file cut paste sort less more head tail kill sleep "
        "echo read set start move copy mail mount host who at last kill test env true false import export command read "
        "php python ruby perl node lua java make git docker npm pip go zip tar ping run watch nice eval source service expand");
}

/* One of a list, or a pair: what stands on both sides of a mark are plain words. */
static int ph_listed(const ph_lexer *x, const ph_tok *t, int i, int next, int sep, uint32_t kinds) {
    uint8_t mark = sep == '&' ? '&' : '|', end = t[next].type;
    if (sep == 0) {                                       /* yes|no: what a pipe leads to is no command */
        const ph_tok *b = &t[next + 1];
        return end == '|' && !((t[next].flags | b->flags) & F_SPACE) && b->type == TK_WORD && (ph_everyday(x, &t[i], kinds)
            || ph_is(x, &t[i], "id")) && (!(b->kinds & (K_CMD | K_TOOL)) || ph_everyday(x, b, b->kinds))
            && (t[next + 2].type == TK_END || t[next + 2].type == '|');
    }
    if ((sep != '&' && sep != '|') || i < 2 || next != i + 1 || t[i - 1].type != mark || t[i - 2].type != TK_WORD
        || (t[i].flags ^ t[i - 1].flags) & F_SPACE || (sep == '&' && !(t[i].flags & F_SPACE)) || (i > 2 && t[i - 3].type == '.')) {
        return 0;
    }
    return (end == TK_END || end == mark || end == TK_WORD || end == ',') && ph_everyday(x, &t[i], kinds);
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
    if ((t[i].type == '%' || sep != '&') && (ph_own_variable(x, t, i) || (t[i].type == '$' && t[i + 1].type == '@' && !(t[i + 1].flags & F_SPACE)
            && (t[i + 2].type == TK_END || t[i + 2].flags & F_SPACE)) || ((edge || (sep != ';' && (sep != '\n' || v->where == PH_W_QUERY))) && ph_own_path(x, t, i)))) {
        return 60;
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
    if (sep == '|' && a == '|' && !edge && !((t[i].flags | t[next].flags) & F_SPACE)) {
        return 0;                                         /* id|name|type */
    }
    if (shape == 3 && (a == TK_CMT || a == '-' || a == '/' || a == '<' || a == '>' || a == '|') && sep != '\n') {
        return edge || (sep == ';' && i < 4) ? 60 : 30;
    }
    return edge && shape == 3 && sep != '\n' && sep != '&' ? 60 : 0;
}

/* net user, netsh firewall, systemctl stop, docker run: what a program with words of its own is told to do. `sudo id`,
 * `nohup id`: what runs another program. */
static int ph_subcommand(const ph_lexer *x, const ph_tok *t, int i, int next) {
    static const char *const words[][2] = {
        {"net", "user localgroup group view share start stop use config accounts session time computer"},
        {"reg", "query add save delete export import load copy restore"},
        {"netsh", "firewall advfirewall wlan interface int winsock trace http lan add show set dump winhttp"},
        {"sc", "query queryex create config start stop delete qc sdset sdshow failure"},
        {"vssadmin wbadmin", "create delete list resize start get"},
        {"wevtutil", "cl qe el gl clear sl"},
        {"systemctl service rc-service loginctl timedatectl hostnamectl launchctl", "start stop restart reload status enable disable mask daemon list show poweroff reboot"},
        {"docker podman crictl ctr kubectl oc lxc virsh helm", "run exec ps images pull push rm rmi inspect cp get delete apply logs describe create edit start stop list info install"},
        {"apt apt-get apt-cache yum dnf apk zypper brew pip npm yarn pnpm gem cpan snap flatpak composer opkg aptitude pacman winget choco conda",
            "install remove update upgrade add search list exec run uninstall download show purge reinstall dist"},
        {"git", "clone init log push pull fetch config checkout reset status diff show apply remote grep"},
        {"go cargo make mvn gradle npx", "run build install test get all clean"},
        {"aws gcloud az doctl", "s3 ec2 iam sts lambda auth login logout compute storage account vm configure secretsmanager ssm"},
        {"redis", "config keys get set flushall flushdb info eval save shutdown slaveof module"},
        {"ip", "a addr address link route r neigh n netns rule"},
        {"cscli", "alerts decisions bouncers machines hub metrics collections"},
        {"ufw", "enable disable status allow deny reset delete"},
        {"route", "print add delete"},
        {"wmic", "process os useraccount computersystem service product qfe logicaldisk nic startup group cpu bios shadowcopy alias"},
    };
    if (t[next].type != TK_WORD || !(t[next].flags & F_SPACE)) {
        return 0;
    }
    if (ph_is_any(x, &t[i], "sudo doas nohup setsid command builtin exec eval xargs strace ltrace unshare chroot stdbuf ionice "
            "busybox timeout env runuser gosu coproc unbuffer")) {
        return (t[next].kinds & (K_CMD | K_TOOL)) != 0;
    }
    if (ph_is_any(x, &t[i], "time start call watch saps parallel")) {
        return t[next].kinds & K_TOOL || ph_role(x, &t[next]) & R_TERSE || ph_is_any(x, &t[next], "id cmd calc");
    }
    static uint64_t known[sizeof words / sizeof *words][3];
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        if (ph_list_has(x, &t[i], words[k][0], known[k], 2)) {
            return ph_is_listed(x, &t[next], words[k][1]) && !ph_is_any(x, &t[next + 1], "of for in on with from the to and by");
        }
    }
    return 0;
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
