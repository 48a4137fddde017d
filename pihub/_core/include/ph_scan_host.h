/* URLs that make a server ask itself or its neighbours (server-side request forgery), or load somebody's program. */
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

/* Points of a URL's host that begins at `at`: 60 only an attack names it, 30 one's own machine. */
static unsigned ph_host_points(const uint8_t *p, size_t n, size_t at) {
    static const char *const clouds[] = {"169.254.", "100.100.100.200", "192.0.0.192", "metadata.google", "metadata.azure",
        "metadata/", "instance-data", "rancher-metadata", "localhost.localdomain", "localhost4", "localhost6", "[::1]", "[::]", "[::ffff:",
        "[0:0:", "0x", "0.0.0.0", "0/", "0:", NULL};
    static const char *const names[] = {".nip.io", ".xip.io", ".sslip.io", "localtest.me", "lvh.me", "vcap.me", NULL};
    static const char *const services[] = {":22/", ":23/", ":25/", ":2375", ":3306", ":5432", ":6379", ":9200", ":11211", ":27017", NULL};
    size_t end = at, digits = 0;
    if (ph_any_at(p, n, at, clouds)) {
        return 60;
    }
    while (end < n && end < at + 255 && (ph_alnum(p[end]) || p[end] == '.' || p[end] == '-')) {
        end++;
    }
    while (at + digits < end && ph_digit(p[at + digits])) {
        digits++;
    }
    for (size_t k = at; k < end; k++) {
        if (ph_any_at(p, end, k, names)) {
            return 60;
        }
    }
    if (at + digits == end && digits >= 8) {
        return 60;                                        /* a whole address as one number */
    }
    if (digits > 1 && p[at] == '0' && digits < end - at && p[at + digits] == '.') {
        return 60;                                        /* an octal part */
    }
    int own = ph_at(p, n, at, "127.") || ph_at(p, n, at, "localhost");
    if (own && (ph_any_at(p, n, end, services) || (p[at] == '1' && !ph_at(p, n, at, "127.0.")))) {
        return 60;
    }
    return own || p[at] == '[' || ph_at(p, n, at, "metadata.") ? 30 : 0;
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
    for (size_t i = k; i < n && i < k + 512; i++) {
        if (p[i] == '.' && ph_any_at(p, n, i, ends) && (number || (i > at && n - i < 8 && p[n - 1] == '?'))) {
            return 1;
        }
    }
    return 0;
}
#endif
