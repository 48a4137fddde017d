/* Lines that a value begins behind a break of its own: heads of HTTP and of mail, commands of the protocols of mail. */
#ifndef PH_SCAN_LINE_H
#define PH_SCAN_LINE_H

#include "ph_scan_host.h"

enum { N_HEAD = 32, N_REQUEST, N_MAIL };                  /* beside those of ph_scan_program.h and ph_scan_php.h */

/* "content-type: text/html" first: a head itself, as reports about requests carry it, and none that was broken into. */
static int ph_is_head(const ph_lexer *x) {
    size_t k = 0;
    while (k < x->n && k < 64 && (ph_alnum(x->p[k]) || x->p[k] == '-')) {
        k++;
    }
    return k && k + 1 < x->n && x->p[k] == ':' && x->p[k + 1] == ' ';
}

/* A field of a head (RFC 9110, 5; registry of field names) that a text does not hold for another reason. */
static int ph_field(const ph_lexer *x, const ph_tok *t, int i) {
    static const char *const names[] = {"cache-control:", "content-language:", "content-location:", "content-range:",
        "content-transfer-encoding:", "strict-transport-security:", "www-authenticate:", "proxy-authenticate:", "proxy-authorization:",
        "proxy-connection:", "accept-language:", "accept-encoding:", "accept-charset:", "accept-ranges:", "if-modified-since:",
        "if-none-match:", "if-match:", "last-modified:", "keep-alive:", "referrer-policy:", "permissions-policy:", "cross-origin-",
        "public-key-pins", "feature-policy:", "expect-ct:", "retry-after:", "user-agent:", "mime-version:", "reply-to:",
        "return-path:", "in-reply-to:", "message-id:", "disposition-notification-to:", "sec-fetch-", "sec-websocket-", "etag:",
        "alt-svc:", "forwarded-for:", "forwarded-host:", "forwarded-server:", "remote-ip:", "remote-addr:", "originating-ip:", "client-ip:",
        "clear-site-data:", "service-worker-allowed:", "set-cookie", "refresh:", NULL};
    if (t[i + 1].type == ':' && ((ph_is(x, &t[i], "link") && t[i + 2].type == '<') || (ph_is(x, &t[i], "via") && t[i + 2].type == TK_NUM) || (ph_is(x, &t[i], "cookie") && t[i + 3].type == '='))) {
        return 1;
    }
    return x->p[t[i].at + t[i].len] == '-' || t[i + 1].type == ':' ? ph_any_at(x->p, x->n, t[i].at, names) : 0;
}

/* The value begins with an address: what stands in a form for a sender or a receiver. */
static int ph_from_address(const ph_tok *t) {
    for (int j = 1; j < 8 && t[j].type != TK_END && !(t[j].flags & F_SPACE); j++) {
        if (t[j].type == '@') {
            return t[j + 1].type == TK_WORD;
        }
    }
    return 0;
}

/* To:, Cc:, Subject: behind what is a line of mail's head itself (RFC 5322, 3.6). */
static int ph_mail_field(const ph_lexer *x, const ph_tok *t, int i) {
    if (t[i + 1].type != ':' || !ph_is_any(x, &t[i], "to cc from subject")) {
        return 0;
    }
    if (ph_from_address(t)) {
        return 1;
    }
    for (int j = i + 2; j < i + 10 && t[1].type != ':' && !ph_is_any(x, &t[i], "from subject"); j++) {
        if (t[j].type == TK_END || t[j].flags & F_LINE) {
            break;
        }
        if (t[j].type == '@') {
            return 1;
        }
    }
    return 0;
}

/* Commands of SMTP (RFC 5321, 4.1), POP3 (RFC 1939) and IMAP (RFC 9051, 6) as the value's first line behind a break. */
static int ph_mail_command(const ph_lexer *x, const ph_tok *t, int i) {
    int alone = t[i + 1].type == TK_END || t[i + 1].flags & F_LINE, number = t[i + 1].type == TK_NUM;
    if (i && t[i - 1].type != '.' && t[i + 2].type == ':' && ((ph_is(x, &t[i], "rcpt") && ph_is(x, &t[i + 1], "to"))
            || (ph_is(x, &t[i], "mail") && ph_is(x, &t[i + 1], "from")))) {
        return 1;
    }
    if (!(t[i].flags & F_FIRST)) {
        return 0;
    }
    const uint8_t *last = x->p + t[i].at + t[i].len - 1;
    return (ph_is_any(x, &t[i], "rcpt mail") && t[i + 2].type == ':')
        || (alone && ph_is_any(x, &t[i], "data quit rset noop starttls capa stls stat uidl logout"))
        || (number && ph_is_any(x, &t[i], "retr dele top list uidl") && (t[i + 2].type == TK_END || t[i + 2].flags & F_LINE || t[i + 2].type == TK_NUM))
        || (!alone && !number && ph_is_any(x, &t[i], "ehlo helo lhlo vrfy expn auth") && t[i + 1].flags & F_SPACE)
        || (ph_digit(*last) && t[i].len < 12 && t[i + 1].flags & F_SPACE && ph_is_any(x, &t[i + 1], "select examine create delete rename subscribe "
            "unsubscribe list lsub status append check close expunge search fetch store copy uid login authenticate capability noop "
            "logout idle starttls namespace getquota getacl setacl"));
}

static void ph_line(const ph_lexer *x, const ph_tok *t, int i, uint64_t *seen, ph_verdict *v) {
    uint8_t d = t[i + 1].type;
    if ((d == ':' && ph_is_any(x, &t[i], "location host")) || ((d == '-') && ph_is_any(x, &t[i],
            "set content x access transfer refresh") && ph_is_any(x, &t[i + 2], "cookie cookie2 type length xss location "
            "forwarded encoding control disposition security powered") && (t[i + 3].type == ':' || t[i + 3].type == '-'))) {
        ph_once(v, PH_S_HEADER, seen, N_HEAD, v->where == PH_W_JSON && ph_is_head(x) ? 30 : 60, "header-after-newline", t[i].at);
    } else if (ph_is_any(x, &t[i], "http get post put head delete") && (d == '/' || ph_is(x, &t[i + 1], "http"))) {
        ph_once(v, PH_S_HEADER, seen, N_REQUEST, 60, "request-after-newline", t[i].at);
    } else if (v->where == PH_W_JSON) {
        return;
    } else if ((ph_is(x, &t[i], "bcc") && d == ':') || (!v->prose && ph_mail_field(x, t, i))) {
        ph_once(v, PH_S_HEADER, seen, N_HEAD, 60, "mail-header", t[i].at);
    } else if (!v->prose && ph_mail_command(x, t, i)) {
        ph_once(v, PH_S_HEADER, seen, N_MAIL, 60, "mail-command", t[i].at);
    } else if (!v->prose && ((ph_is(x, &t[i], "x") && d == '-' && t[i + 2].type == TK_WORD && !(t[i + 2].flags & F_SPACE)
               && (t[i + 3].type == ':' || t[i + 5].type == ':')) || (!ph_is_head(x) && ph_field(x, t, i)))) {
        ph_once(v, PH_S_HEADER, seen, N_HEAD, 60, "header-after-newline", t[i].at);
    }
}
#endif
