/* URLs that make a server ask itself or its neighbours (server-side request forgery), or load somebody's program.
 *
 * A host is read as browsers and resolvers read it (WHATWG URL, 3.5; inet_aton(3)), so that every spelling of an
 * address is the same address: 2130706433, 0x7f.1, 0177.0.0.1, [::ffff:7f00:1], circled digits and foreign dots.
 */
#ifndef PH_SCAN_HOST_H
#define PH_SCAN_HOST_H

#include "ph_scan_lex.h"

static int ph_any_at(const uint8_t *p, size_t n, size_t at, const char *const *words) {
    for (; *words; words++) {
        if (ph_at(p, n, at, *words)) {
            return 1;
        }
    }
    return 0;
}

/* A digit that is no ASCII one, by its compatibility mapping (UAX 15): 0 to 20, -1 for none, -2 for a full stop.
 * *len: bytes of it. */
static int ph_strange_digit(const uint8_t *p, size_t n, size_t i, size_t *len) {
    uint8_t b = i + 2 < n ? p[i + 1] : 0, c = i + 2 < n ? p[i + 2] : 0;
    *len = 3;
    if (p[i] == 0xE2) {
        uint32_t u = 0x2000u | (uint32_t)(b & 63) << 6 | (c & 63);
        if (u >= 0x2460 && u <= 0x249B) {                   /* circled, in brackets, with a full stop */
            return (int)((u - 0x2460) % 20) + 1;
        }
        if (u == 0x24EA || u == 0x24FF) {
            return 0;
        }
        if (u >= 0x2776 && u <= 0x2793) {
            return (int)((u - 0x2776) % 10) + 1;
        }
        return u == 0x2070 || (u >= 0x2074 && u <= 0x2079) || (u >= 0x2080 && u <= 0x2089) ? (int)(u & 15) : -1;
    }
    if ((p[i] == 0xE3 && b == 0x80 && c == 0x82) || (p[i] == 0xEF && b == 0xBD && c == 0xA1)) {
        return -2;                                          /* ideographic full stops, which IDNA makes dots */
    }
    if (p[i] == 0xF0 && b == 0x9D && c == 0x9F && i + 3 < n && p[i + 3] >= 0x8E) {
        *len = 4;
        return (p[i + 3] - 0x8E) % 10;                      /* of mathematics */
    }
    *len = 2;
    return p[i] == 0xC2 && b == 0xB9 ? 1 : p[i] == 0xC2 && (b == 0xB2 || b == 0xB3) ? b - 0xB0 : -1;
}

typedef struct ph_host {
    uint8_t name[64];       /* lower-case, without what is before an @, a port, a dot at the end */
    size_t len, end;        /* end: of the authority, in the value */
    size_t port;            /* where its colon is, or the end */
    int strange;            /* digits or dots that are none of ASCII's */
    int users;              /* @ signs */
} ph_host;

static void ph_host_read(const uint8_t *p, size_t n, size_t at, ph_host *h) {
    size_t from = at, i = at;
    memset(h, 0, sizeof *h);
    for (; i < n && i < at + 512 && p[i] > 32 && !memchr("/?#\\\"'<>", p[i], 8); i++) {
        if (p[i] == '@') {
            h->users++;
            from = i + 1;
        }
    }
    h->end = h->port = i;
    int six = from < i && p[from] == '[';
    for (size_t k = from, len; k < h->end && h->len + 3 < sizeof h->name; k += len) {
        int digit = p[k] < 0x80 ? -1 : ph_strange_digit(p, n, k, &len);
        if (p[k] < 0x80 || digit == -1) {
            len = 1;
            if (p[k] == ':' && !six) {
                h->port = k;
                break;
            }
            h->name[h->len++] = p[k];
            if (p[k] == ']') {
                h->port = k + 1;
                break;
            }
            continue;
        }
        h->strange = 1;
        if (digit > 9) {
            h->name[h->len++] = (uint8_t)('0' + digit / 10);
        }
        h->name[h->len++] = digit == -2 ? '.' : (uint8_t)('0' + digit % 10);
    }
    h->len -= h->len && h->name[h->len - 1] == '.';
}

/* An address of four bytes in one to four numbers. 0: none; *odd: spelt as only a machine, or an attack, would. */
static int ph_four(const uint8_t *p, size_t n, uint32_t *address, int *odd, unsigned *parts) {
    uint64_t value[4];
    size_t i = 0;
    for (*parts = 0; *parts < 4; (*parts)++) {
        size_t start = i;
        unsigned base = 10;
        uint64_t v = 0;
        if (i + 1 < n && p[i] == '0' && p[i + 1] == 'x') {
            base = 16;
            i += 2;
        } else if (i + 1 < n && p[i] == '0' && ph_digit(p[i + 1])) {
            base = 8;
        }
        for (int d; i < n && (d = ph_hexval(p[i])) >= 0 && d < (base == 16 ? 16 : 10); i++) {
            v = v < 1ull << 40 ? v * base + (uint64_t)d : v;
        }
        *odd |= base != 10;
        value[*parts] = v;
        if (i == start || (i < n && p[i] != '.')) {
            return 0;
        }
        if (i++ >= n) {
            (*parts)++;
            break;
        }
    }
    if (i <= n || !*parts) {
        return 0;
    }
    *address = 0;
    for (unsigned k = 0; k + 1 < *parts; k++) {
        *odd |= value[k] > 255;                             /* 383.0.0.1: what is above wraps around */
        *address |= (uint32_t)(value[k] & 255) << (24 - 8 * k);
    }
    *odd |= *parts == 4 && value[3] > 255;
    *address |= (uint32_t)value[*parts - 1];
    return 1;
}

/* Points of an address: of the machine itself 30, of its link or a cloud's services 60. */
static unsigned ph_four_points(uint32_t a) {
    if (a >> 24 == 127) {
        return a >> 16 == 0x7F00 ? 30 : 60;                 /* nobody writes 127.9.9.9 but to hide it */
    }
    return a >> 24 == 0 || a >> 16 == 0xA9FE || a == 0x646464C8 || a == 0xC00000C0 || a == 0xA83F8110 ? 60 : 0;
}

static int ph_private(uint32_t a) {
    return a >> 24 == 10 || a >> 20 == 0xAC1 || a >> 16 == 0xC0A8;
}

/* [..]: eight groups of sixteen bits (RFC 4291, 2.2). 0: no address. */
static int ph_six(const uint8_t *p, size_t n, uint16_t *group) {
    unsigned have = 0, gap = 8;
    size_t i = 1;
    memset(group, 0, 8 * sizeof *group);
    while (i < n && have < 8 && p[i] != ']' && p[i] != '%') {
        if (p[i] == ':' && i + 1 < n && p[i + 1] == ':') {
            gap = have;
            i += 2;
            continue;
        }
        i += p[i] == ':';
        size_t start = i;
        uint32_t v = 0, a = 0;
        for (int d; i < n && (d = ph_hexval(p[i])) >= 0; i++) {
            v = v << 4 | (uint32_t)d;
        }
        if (i == start) {
            return 0;
        }
        if (i < n && p[i] == '.' && have < 7) {             /* its last four bytes as decimals */
            size_t end = start;
            int odd = 0;
            unsigned parts;
            while (end < n && (ph_alnum(p[end]) || p[end] == '.')) {
                end++;
            }
            if (!ph_four(p + start, end - start, &a, &odd, &parts)) {
                return 0;
            }
            group[have++] = (uint16_t)(a >> 16);
            v = a & 0xFFFF;
            i = end;
        }
        group[have++] = (uint16_t)v;
    }
    for (unsigned k = 0; gap < 8 && k < 8 - gap; k++) {       /* what is behind :: goes to the end */
        group[7 - k] = k < have - gap ? group[have - 1 - k] : 0;
    }
    return have == 8 || gap < 8;
}

static unsigned ph_six_points(const uint16_t *g) {
    int zeros = 0;
    while (zeros < 6 && !g[zeros]) {
        zeros++;
    }
    uint32_t last = (uint32_t)g[6] << 16 | g[7];
    if (zeros >= 5 && (zeros == 6 || g[5] == 0xFFFF)) {
        return 60;                                          /* ::, ::1, and four bytes dressed as sixteen */
    }
    if ((g[0] == 0x64 && g[1] == 0xFF9B) || g[0] == 0x2002) {
        uint32_t a = g[0] == 0x2002 ? (uint32_t)g[1] << 16 | g[2] : last;
        return ph_four_points(a) || ph_private(a) ? 60 : 30;
    }
    return (g[0] & 0xFFC0) == 0xFE80 || (g[0] == 0xFD00 && g[1] == 0x0EC2) ? 60 : 30;
}

/* A name that ends with one of `names`, or is it. */
static int ph_host_under(const ph_host *h, const char *const *names) {
    for (; *names; names++) {
        size_t k = strlen(*names);
        if (h->len >= k && memcmp(h->name + h->len - k, *names, k) == 0 && (h->len == k || h->name[h->len - k - 1] == '.')) {
            return 1;
        }
    }
    return 0;
}

/* Points of a URL's host that begins at `at`: 60 only an attack names it, 30 one's own machine. */
static unsigned ph_host_points(const uint8_t *p, size_t n, size_t at) {
    static const char *const clouds[] = {"metadata.google", "metadata.azure", "metadata.packet.net", "metadata.tencentyun.com",
        "metadata.platformequinix.com", "metadata.oraclecloud", "metadata.cloud", "instance-data", "rancher-metadata",
        "kubernetes.default", NULL};
    static const char *const aliases[] = {"localhost", "localdomain", "localdomain6", "localhost4", "localhost6", "ip6-localhost",
        "ip6-loopback", "cluster.local", NULL};
    /* Names that any address can be asked for, or that are always one's own; and those that tell who asked. */
    static const char *const names[] = {"nip.io", "xip.io", "sslip.io", "localtest.me", "lvh.me", "vcap.me", "lacolhost.com",
        "local.gd", "localho.st", "fuf.me", "rbndr.us", "1u.ms", "yoogle.com", "oastify.com", "burpcollaborator.net", "interact.sh",
        "interactsh.com", "oast.pro", "oast.live", "oast.site", "oast.online", "oast.fun", "oast.me", "dnslog.cn", "dnslog.pw",
        "ceye.io", "eyes.sh", "bxss.me", "r87.me", "requestrepo.com", "canarytokens.com", "xss.ht", NULL};
    static const uint16_t services[] = {21, 22, 23, 25, 110, 111, 143, 389, 445, 873, 2049, 2181, 2375, 2376, 2379, 3306, 4001,
        5432, 5984, 6379, 6443, 9200, 10250, 10255, 11211, 27017, 0};
    ph_host h;
    uint32_t four = 0;
    uint16_t six[8];
    unsigned parts = 0, points = 0;
    int odd = 0, own = 0;
    ph_host_read(p, n, at, &h);
    if (h.users > 1 || (h.end + 1 < n && p[h.end] == '\\' && p[h.end + 1] == '@')
        || (h.end + 2 < n && p[h.end] == ' ' && (p[h.end + 1] == '@' || (p[h.end + 1] == '&' && p[h.end + 2] == '@')))) {
        return 60;                                          /* two readers of it would go to two hosts */
    }
    if (!h.len) {
        return 0;
    }
    if (h.name[0] == '[') {
        return ph_six(h.name, h.len, six) ? ph_six_points(six) : 30;
    }
    if (ph_four(h.name, h.len, &four, &odd, &parts)) {
        points = ph_four_points(four);
        own = points == 30;
        if (odd || h.strange || (parts == 1 && (h.len >= 8 || four == 0)) || (parts > 1 && parts < 4 && (points || ph_private(four)))) {
            return 60;
        }
        points = parts == 1 ? 0 : points;
    } else if (h.len == 9 && memcmp(h.name, "localhost", 9) == 0) {
        own = 1;
        points = 30;
    } else if (ph_any_at(h.name, h.len, 0, clouds) || ph_host_under(&h, aliases) || ph_host_under(&h, names)
               || (h.len == 8 && memcmp(h.name, "metadata", 8) == 0 && h.port < n && p[h.port] == '/')) {
        return 60;
    }
    unsigned port = 0;
    for (size_t k = h.port + 1; own && k < h.end && ph_digit(p[k]) && port < 65536; k++) {
        port = port * 10 + p[k] - '0';
    }
    for (const uint16_t *s = services; port && *s; s++) {
        if (*s == port) {
            return 60;
        }
    }
    return points ? points : ph_at(h.name, h.len, 0, "metadata.") ? 30 : 0;
}

/* http://1.2.3.4/a.php, http://a.example/a.txt?: a program that an include would load. */
static int ph_foreign_program(const uint8_t *p, size_t n, size_t at) {
    static const char *const ends[] = {".php", ".txt", ".inc", ".phtml", ".jsp", ".asp", ".pl", ".py", ".sh", ".cgi", NULL};
    size_t k = at, dots = 0;
    while (k < n && (ph_digit(p[k]) || p[k] == '.')) {
        dots += p[k++] == '.';
    }
    int number = dots == 3 && k < n && (p[k] == '/' || p[k] == ':') && !ph_at(p, n, at, "10.") && !ph_at(p, n, at, "192.168.")
        && !ph_at(p, n, at, "172.") && !ph_at(p, n, at, "127.");
    if (n > k + 2 && p[n - 1] == '?' && p[n - 2] == '?') {
        return 1;                                         /* what is appended to it becomes its query */
    }
    for (size_t i = k; i < n && i < k + 512; i++) {
        if (p[i] == '.' && ph_any_at(p, n, i, ends) && (number || (i > at && n - i < 8 && p[n - 1] == '?'))) {
            return 1;
        }
    }
    return 0;
}

/* jdbc:..: a database's driver that is told to run something or to read a file (what the drivers' manuals warn of). */
static int ph_driver(const ph_lexer *x, const ph_tok *t) {
    for (int j = 2; j < PH_AHEAD - 1 && t[j].type != TK_END; j++) {
        if (t[j + 1].type == '=' && ph_is_any(x, &t[j], "init autodeserialize allowloadlocalinfile allowurlinlocalinfile "
                "allowloadlocalinfileinpath queryinterceptors statementinterceptors detectcustomcollations socketfactory socketfactoryarg "
                "sslfactory sslpasswordcallback loggerfile clientrerouteserverlistjndiname trace_level_system_out")) {
            return 1;
        }
    }
    return 0;
}
#endif
