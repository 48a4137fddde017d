/* Path traversal and files that no request names: climbs counted on the decoded bytes, targets
 * told from the tokens around a directory's name, whatever separates them.
 */
#ifndef PH_SCAN_PATH_H
#define PH_SCAN_PATH_H

#include "ph_scan_host.h"

static inline int ph_sep(const uint8_t *p, size_t n, size_t i) {
    return i < n && (p[i] == '/' || p[i] == '\\' || ph_at(p, n, i, "0x2f") || ph_at(p, n, i, "0x5c")
        || ph_at(p, n, i, "%2f") || ph_at(p, n, i, "%5c"));
}

/* In a sentence: behind the name that holds p[i] it goes on, or ends with a mark of its own. */
static int ph_goes_on(const uint8_t *p, size_t n, size_t i) {
    while (i < n && !ph_space(p[i])) {
        i++;
    }
    return i < n || (i && memchr(".,:;)\"'`?!*", p[i - 1], 12));
}

/* Segments of dots. Points by how far they climb. */
static void ph_climbs(const uint8_t *p, size_t n, ph_verdict *v) {
    unsigned climbs = 0, stays = 0, odd = 0, rooted = 0, last = 0;
    size_t first = 0, host = 2;
    while (n > 4 && p[0] == '\\' && p[1] == '\\' && host < n && host < 66 && (ph_alnum(p[host]) || p[host] == '.' || p[host] == '-')) {
        host++;
    }
    if (host > 2 && host < n && p[host] == '\\' && v->where != PH_W_JSON) {
        ph_add(v, PH_S_PATH, 60, "network-share", 0);
    }
    if (!ph_two(p, n, '.', '.') && !ph_two(p, n, '.', '/') && !ph_two(p, n, '.', '\\') && !ph_two(p, n, '.', '%')
        && !ph_two(p, n, '0', 'x')) {
        return;                                           /* no segment of dots, however it is spelt */
    }
    for (size_t i = 0; i < n;) {
        size_t run = i, dots = 0;
        if (p[i] != '.' && p[i] != '0') {
            i++;
            continue;
        }
        if (p[i] == '.') {
            while (i < n && p[i] == '.') {
                i++;
            }
            dots = i - run;
            for (; ph_at(p, n, i, "0x2e"); i += 4) {
                dots++;
            }
        } else if (p[i] == '0' && ph_at(p, n, i, "0x2e")) {
            while (ph_at(p, n, i, "0x2e") || ph_at(p, n, i, "x2e")) {
                i += p[i] == '0' ? 4 : 3;
                dots++;
            }
            for (; i < n && p[i] == '.'; i++) {
                dots++;
            }
            odd = 1;
        } else {
            i++;
            continue;
        }
        int before = run == 0 || p[run - 1] == '/' || p[run - 1] == '\\' || p[run - 1] == '=' || p[run - 1] == ':'
            || (run >= 4 && (ph_at(p, n, run - 4, "0x2f") || ph_at(p, n, run - 4, "0x5c"))) || (run >= 3 && (ph_at(p, n, run - 3, "%2f")
                || ph_at(p, n, run - 3, "%5c"))) || p[run - 1] < 32 || p[run - 1] == ' ';
        int after = ph_sep(p, n, i);
        int loose = after || i >= n || p[i] == ';' || p[i] == '{' || p[i] == '?' || p[i] < 32 || p[i] == '%';
        if (v->prose && dots > 2 && !(before && after)) {
            continue;                                     /* and so on ... */
        }
        if (dots >= 2 && ((before && loose) || after)) {
            if (after && i + 1 < n && p[i] == '\\') {
                odd |= 2;
            }
            if (i < n && p[i] == ';') {
                odd |= 4;
            }
            if (!climbs++) {
                first = run;
                rooted = run <= 1;
                last = after && run && p[run - 1] == ' ' && !memchr(p + run, ' ', n - run);
            }
            climbs += dots > 8 && i - run > 8;
            odd |= after && p[i] == '0';
            odd |= after && (ph_at(p, n, i + 1, "etc/") || ph_at(p, n, i + 1, "usr/") || ph_at(p, n, i + 1, "var/")) ? 8 : 0;
        } else if (dots == 1 && before && after) {
            stays++;
        } else if (dots >= 8 && run <= 1) {
            climbs += 2;
        }
        if (climbs >= 3 || stays >= 4) {
            break;                                        /* the most that it can tell */
        }
    }
    if (v->prose && climbs && climbs < 3 && stays < 4 && v->where != PH_W_PATH && ph_goes_on(p, n, first + 2)) {
        ph_add(v, PH_S_PATH, 30, "climb", first);         /* (../guide.md) explains it */
    } else if (climbs >= 2 || stays >= 4 || (climbs && stays)) {
        ph_add(v, PH_S_PATH, climbs >= 3 || rooted || odd || stays >= 1 || v->where == PH_W_PATH ? 70 : 60, "climb", first);
    } else if (climbs == 1 && v->prose && (!last || ph_goes_on(p, n, first + 2))) {
        ph_add(v, PH_S_PATH, 30, "climb", first);
    } else if (climbs == 1) {
        ph_add(v, PH_S_PATH, odd || v->where == PH_W_PATH || ((first <= 1 || last) && v->where != PH_W_JSON) ? 60 : 40, "climb",
            first);
    }
}

/* Names of files found whatever separates them: "etc", up to twelve bytes of junk, "passwd". */
static const char *const ph_file_names[] = {"etc", "boot.ini", "win.ini", "system32", "php.ini", "httpd.conf",
    "etcpasswd", "inetpub", "global.asa", "c:/win", "c:\\win", "system.ini", "web-inf", "meta-inf", "{file}", NULL};

static void ph_files(const ph_teddy *names, const uint8_t *p, size_t n, ph_verdict *v) {
    static const char *const after[] = {"passwd", "issue", "shadow", "hosts", "group", "master.passwd", "hostname", NULL};
    ph_hit hit = {0, 0};
    for (size_t from = 0; from < n; from = hit.at + 1) {
        hit = ph_teddy_find(names, p, n, from);
        if (hit.index == UINT32_MAX) {
            return;
        }
        if (hit.index == 7) {
            ph_add(v, PH_S_PATH, 40, "system-file", hit.at);
            for (size_t k = hit.at + 7; k < n && k < hit.at + 12; k++) {
                if (ph_at(p, n, k, "wwwroot")) {
                    ph_add(v, PH_S_PATH, 60, "system-file", hit.at);
                    return;
                }
            }
            continue;
        }
        if (hit.index == 14 && p[0] != '/' && p[0] != '.' && !(v->prose && hit.at && p[hit.at - 1] != ' ' && hit.at + 6 == n)) {
            continue;                                     /* a list's template, left unfilled */
        }
        if (hit.index) {
            ph_add(v, PH_S_PATH, 60, hit.index == 14 ? "unfilled-template" : "system-file", hit.at);
            return;
        }
        for (size_t k = hit.at + 4; k < hit.at + 16 && k < n && !ph_space(p[k - 1]); k++) {
            if (p[k] != 'p' && p[k] != 'i' && p[k] != 's' && p[k] != 'h' && p[k] != 'g' && p[k] != 'm') {
                continue;
            }
            for (const char *const *w = after; *w; w++) {
                if (ph_at(p, n, k, *w)) {
                    int named = v->prose && ph_goes_on(p, n, k + strlen(*w));
                    ph_add(v, PH_S_PATH, named ? 40 : 60, "system-file", hit.at);
                    return;
                }
            }
        }
    }
}

typedef struct ph_end { const char *text; uint32_t len; } ph_end;

#define PH_END(w) {w, sizeof w - 1}

static inline int ph_ends_with(const ph_lexer *x, const ph_tok *t, const ph_end *w) {
    const uint8_t *last = x->p + t->at + t->len;
    return t->len >= w->len && t->len <= w->len + 4 && last[-1] == (uint8_t)w->text[w->len - 1]
        && memcmp(last - w->len, w->text, w->len) == 0;
}

/* One of `words` ends a token within the next `far` ones, with no space between. */
static int ph_within_reach(const ph_lexer *x, const ph_tok *t, int i, int far, const ph_end *words) {
    uint32_t letters = 0;       /* that they end with, five bits of each */
    for (int j = i + 1; j <= i + far && t[j].type != TK_END && !(t[j].flags & F_SPACE); j++) {
        if (t[j].type != TK_WORD) {
            continue;
        }
        for (const ph_end *w = words; !(letters >> 31) && w->text; w++) {
            letters |= 1u << (w->text[w->len - 1] & 31);
        }
        letters |= 1u << 31;    /* they are known: no letter is that */
        if (!(letters >> (x->p[t[j].at + t[j].len - 1] & 31) & 1)) {
            continue;
        }
        for (const ph_end *w = words; w->text; w++) {
            if (ph_ends_with(x, &t[j], w)) {
                return 1;
            }
        }
    }
    return 0;
}

/* The name that token i is of is the value's last, and no sentence's. */
static int ph_ends_value(const ph_tok *t, int i) {
    int j = i + 1;
    while (j < i + 30 && t[j].type != TK_END && !(t[j].flags & F_SPACE)) {
        j++;
    }
    uint8_t last = t[j - 1].type;
    return t[j].type == TK_END && !(last > TK_CMT && memchr(".),:?;'\"`", last, 9));
}

/* Behind /. : what programs keep in a directory of somebody's own and show to nobody. */
static int ph_hidden(const ph_lexer *x, const ph_tok *name) {
    int dir = name[1].type == '/', more = name[1].type == '-' || name[1].type == '_' || name[1].type == '.';
    return name->type == TK_WORD && !(name->flags & F_SPACE) && (ph_is_any(x, name, "forward rhosts shosts netrc pgpass mysql_history "
        "psql_history sh_history zsh_history ksh_history bash_history python_history irb_history node_repl_history sqlite_history "
        "rediscli_history lesshst viminfo bash_logout bash_profile bashrc zshrc cshrc tcshrc kshrc xauthority iceauthority gitconfig "
        "hgrc bzr dockercfg boto s3cfg pypirc npmrc yarnrc gemrc ftpconfig ftppass wgetrc curlrc htgroup htdigest htaccess htpasswd "
        "envrc esmtprc fetchmailrc muttrc procmailrc mailrc xinitrc xsession pam_environment vault_token")
        || (dir && ph_is_any(x, name, "azure terraform subversion vscode idea vagrant minikube helm oci mozilla thunderbird putty roo "
            "cline copilot amazonq goose kiro augment tabnine codeium cody junie trae crush qwen devin openai anthropic lmstudio "
            "huggingface claude cursor codex gemini continue aider windsurf opencode plandex gnupg docker kube ssh aws password"))
        || (dir && ph_is(x, name, "config") && ph_is_any(x, &name[2], "gcloud gh rclone filezilla google op doctl hub heroku stripe"))
        || (more && ((ph_is(x, name, "my") && ph_is(x, &name[2], "cnf")) || (ph_is(x, name, "user") && ph_is(x, &name[2], "ini"))
            || (ph_is(x, name, "git") && ph_is(x, &name[2], "credentials")) || (ph_is(x, name, "vault") && ph_is(x, &name[2], "token")))));
}

/* Names of files at token i. */
static void ph_target(const ph_lexer *x, const ph_tok *t, int i, ph_verdict *v) {
    static const ph_end etc[] = {PH_END("passwd"), PH_END("shadow"), PH_END("group"), PH_END("hosts"),
        PH_END("issue"), PH_END("hostname"), PH_END("crontab"), PH_END("fstab"),
        PH_END("sudoers"), PH_END("resolv"), PH_END("httpd"), PH_END("apache2"), PH_END("apache"),
        PH_END("nginx"), PH_END("motd"), PH_END("profile"), PH_END("mysql"), PH_END("php"), PH_END("ssh"),
        PH_END("security"),
        PH_END("inittab"), PH_END("conf"), PH_END("services"), PH_END("networks"), PH_END("init"),
        PH_END("redhat"), PH_END("release"), PH_END("http"), PH_END("my"), {NULL, 0}};
    static const ph_end win[] = {PH_END("system32"), PH_END("win"), PH_END("system"), PH_END("repair"),
        PH_END("drivers"), PH_END("php"), PH_END("boot"), PH_END("ini"), PH_END("hosts"), {NULL, 0}};
    static const ph_end ini[] = {PH_END("ini"), {NULL, 0}};
    static const ph_end inf[] = {PH_END("inf"), {NULL, 0}};
    static const ph_end proc[] = {PH_END("self"), PH_END("version"), PH_END("cpuinfo"), PH_END("net"),
        PH_END("sys"), PH_END("mounts"), PH_END("meminfo"), PH_END("cmdline"), PH_END("environ"),
        {NULL, 0}};
    static const ph_end var[] = {PH_END("log"), PH_END("spool"), PH_END("www"), PH_END("run"), PH_END("lib"),
        PH_END("mail"), PH_END("backups"), PH_END("adm"), PH_END("cron"), PH_END("local"), {NULL, 0}};
    static const ph_end usr[] = {PH_END("bin"), PH_END("local"), PH_END("lib"), PH_END("sbin"),
        PH_END("src"), PH_END("share"), PH_END("spool"), {NULL, 0}};
    static const ph_end etcpasswd = PH_END("etcpasswd");
    static const ph_end wp[] = {PH_END("config"), {NULL, 0}};
    static const ph_end log[] = {PH_END("log"), {NULL, 0}};
    if (t[i].type == '/') {
        if (t[i + 1].type == '.' && ph_hidden(x, &t[i + 2]) && !(v->prose && !ph_ends_value(t, i))) {
            ph_add(v, PH_S_PATH, 60, "hidden-file", t[i].at);
        }
        return;
    }
    if (t[i].len >= 9 && ph_ends_with(x, &t[i], &etcpasswd)) {
        ph_add(v, PH_S_PATH, 60, "system-file", t[i].at);
    }
    if (t[i].len >= 15 && i && (t[i - 1].type == '/' || t[i - 1].type == '\\') && ph_at(x->p, x->n, t[i].at, "sess_")) {
        ph_add(v, PH_S_PATH, 60, "session-file", t[i].at);    /* what PHP keeps of its visitors */
    }
    if (!(t[i].kinds & K_FILE)) {
        return;
    }
    uint8_t before = i ? t[i - 1].type : 0, after = t[i + 1].type;
    int rooted = before == '/' || before == '\\';
    int start = rooted && (i == 1 || t[i - 1].flags & F_SPACE || ph_quote(t[i - 2].type) || t[i - 2].type == '=');
    unsigned points = 0;
    if (ph_is(x, &t[i], "etc")) {
        points = after != TK_END && after != '.' && after != ',' && ph_within_reach(x, t, i, 7, etc) ? 60
            : start && after == '/' ? 60 : 0;
    } else if (ph_is_any(x, &t[i], "windows winnt")) {
        points = ph_within_reach(x, t, i, 6, win) ? 60 : 0;
    } else if (ph_is_any(x, &t[i], "boot win system") && after == '.') {
        points = ph_within_reach(x, t, i, 2, ini) ? 60 : 0;
    } else if (ph_is(x, &t[i], "proc") && rooted) {
        points = ph_within_reach(x, t, i, 2, proc) || (after == '/' && t[i + 2].type == TK_NUM) ? 60 : 0;
    } else if (ph_is(x, &t[i], "var") && rooted) {
        points = ph_within_reach(x, t, i, 2, var) || ph_within_reach(x, t, i, 6, log) ? 60 : 0;
    } else if (ph_is(x, &t[i], "usr") && start) {
        points = ph_within_reach(x, t, i, 2, usr) ? 60 : 0;
    } else if (ph_is_any(x, &t[i], "bin sbin") && start && v->where != PH_W_PATH) {
        points = after == '/' ? 60 : 0;
    } else if (ph_is_any(x, &t[i], "root home sys dev opt tmp private") && start) {
        points = after == '/' && v->where != PH_W_PATH ? ph_is_any(x, &t[i], "root sys private") ? 60 : 30 : 0;
    } else if (ph_is_any(x, &t[i], "web meta") && after == '-') {
        points = ph_within_reach(x, t, i, 2, inf) ? 60 : 0;
    } else if (ph_is(x, &t[i], "wp") && after == '-') {
        points = ph_within_reach(x, t, i, 2, wp) && t[i + 3].type == '.' ? 60 : 0;
    } else if (before == '.' && !(i > 1 && t[i - 2].type == TK_WORD && !(t[i - 1].flags & F_SPACE))) {
        int dir = ph_is_any(x, &t[i], "git svn hg aws ssh claude cursor kube plandex opencode codex gemini continue aider windsurf "
            "gnupg docker") && after == '/';
        points = dir || ph_is_any(x, &t[i], "htaccess htpasswd bash_history bashrc bash_profile mysql_history npmrc netrc "
            "dockerenv ds_store git") || (ph_is(x, &t[i], "env") && (after == TK_END || after == '.')) ? 60 : 0;
    } else if (ph_is(x, &t[i], "id_rsa")) {
        points = 60;
    } else if (ph_is(x, &t[i], "passwd") && rooted && i == 1 && after == TK_END) {
        points = 40;
    }
    if (points > 30 && v->prose && v->where != PH_W_PATH && !ph_is(x, &t[i], "id_rsa") && !ph_ends_value(t, i)) {
        points = v->score[PH_S_PATH] ? 0 : 30;            /* a manual names files; ph_files knows the secret ones */
    }
    if (points) {
        ph_add(v, PH_S_PATH, points, "system-file", t[i].at);
    }
}

/* scheme:// at token i: files, wrappers, other services, and hosts that are not for us. */
static void ph_scheme(const ph_lexer *x, const ph_tok *t, int i, ph_verdict *v) {
    if (t[i + 1].type != ':' || !(t[i].kinds & K_SCHEME)) {
        return;
    }
    int slashes = t[i + 2].type == '/' && t[i + 3].type == '/';
    if (ph_is_any(x, &t[i], "file php phar expect zip glob gopher gophers dict netdoc ogg ssh2 rar local_file tftp sftp zlib bzip2 rmi iiop "
            "corbaname corbaloc")) {
        if (slashes || (ph_is(x, &t[i], "file") && t[i + 2].type == '/')) {
            ph_add(v, PH_S_PATH, 60, "wrapper", t[i].at);
        }
    } else if (ph_is(x, &t[i], "jar") && t[i + 2].kinds & K_SCHEME) {
        ph_add(v, PH_S_SSRF, 60, "wrapper", t[i].at);
    } else if (ph_is(x, &t[i], "url") && i == 0 && t[i + 2].kinds & K_SCHEME) {
        ph_add(v, PH_S_SSRF, 60, "wrapper", t[i].at);
    } else if (ph_is_any(x, &t[i], "ldap ldaps") && slashes) {
        ph_add(v, PH_S_SSRF, 40, "wrapper", t[i].at);
    } else if (ph_is(x, &t[i], "data") && (slashes || (i == 0 && ((t[3].type == '/' && !(t[2].flags & F_SPACE) && ph_is_any(x, &t[2], "text message multipart"))
               || ph_at(x->p, x->n, t[0].at, "data:*/"))) || ph_at(x->p, x->n, t[i].at, "data:text/html")
               || ph_at(x->p, x->n, t[i].at, "data:text/plain;base64") || ph_at(x->p, x->n, t[i].at, "data:;base64")
               || ph_at(x->p, x->n, t[i].at, "data:text/xml") || ph_at(x->p, x->n, t[i].at, "data:application/x"))) {
        ph_add(v, PH_S_CODE, 60, "data-url", t[i].at);
    } else if (ph_is(x, &t[i], "jdbc") && i == 0 && ph_driver(x, t)) {
        ph_add(v, PH_S_CODE, 60, "driver-option", t[i].at);
    } else if (!slashes && i == 0 && ph_is_any(x, t, "http https ftp") && v->where != PH_W_HEADER && !(t[2].flags & F_SPACE)) {
        int host = t[2].type == '/' ? 3 : 2;              /* http:127.0.0.1: a browser and many a library read it as with slashes */
        if ((t[host].type == TK_WORD || t[host].type == TK_NUM || t[host].type == '[') && ph_host_points(x->p, x->n, t[host].at)) {
            ph_add(v, PH_S_SSRF, 60, "internal-host", t[host].at);
        }
    } else if (slashes && i == 0 && v->where != PH_W_HEADER) {
        unsigned points = ph_host_points(x->p, x->n, t[4].at);
        if (points) {
            ph_add(v, PH_S_SSRF, points, "internal-host", t[4].at);
        } else if (ph_foreign_program(x->p, x->n, t[4].at)) {
            ph_add(v, PH_S_SSRF, 60, "foreign-program", t[4].at);
        }
    }
}
#endif
