/* multipart/form-data (RFC 7578): fields are judged as a form's, names of files as paths, and files
 * only for a program of the server's that hides in them. Text beyond `room` ends it.
 *
 * The boundary is the body's own first line (RFC 2046, 5.1.1): what a lenient reader goes by.
 */
#ifndef PH_SCAN_MULTIPART_H
#define PH_SCAN_MULTIPART_H

#include <strings.h>

/* The value of `key` in a part's head, without quotes. Returns its length. */
static size_t ph_parameter(const uint8_t *p, size_t n, const char *key, const uint8_t **at) {
    const uint8_t *found = (const uint8_t *)memmem(p, n, key, strlen(key));
    if (!found) {
        return 0;
    }
    const uint8_t *v = found + strlen(key), *end = p + n;
    int quoted = v < end && *v == '"';
    v += quoted;
    *at = v;
    while (v < end && (quoted ? *v != '"' : *v != ';' && *v != '\r' && *v != '\n')) {
        v++;
    }
    return (size_t)(v - *at);
}

static void ph_note(ph_worst *w, unsigned points, const char *rule, const uint8_t *name, size_t len) {
    if (points > w->total) {
        w->total = points;
        w->cls = PH_S_CODE;
        w->where = PH_W_FORM;
        w->rule = rule;
        w->at = 0;
        w->field_len = (uint32_t)(len < sizeof w->field ? len : sizeof w->field);
        memcpy(w->field, name, w->field_len);
    }
}

/* A file that the server itself would run: by its name, by what it holds. */
static void ph_upload(const uint8_t *file, size_t len, const uint8_t *p, size_t n, ph_worst *w) {
    static const char *const ends[] = {"php", "phtml", "phar", "php3", "php5", "php7", "pht", "jsp", "jspx", "asp", "aspx",
        "ashx", "asmx", "cer", "asa", "cgi", "htaccess", "user.ini", "war"};
    static const char *const marks[] = {"<?php", "<?=", "<%@", "<%=", "<% ", "<jsp:", "getRuntime(", "<script language=",
        "eval($_", "system($_", "assert($_"};
    unsigned points = 0;
    for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) {
        size_t k = strlen(ends[e]);
        for (size_t i = 0; i + k < len && i < 255; i++) {      /* a.php, a.php.jpg, a.php%00 */
            if (file[i] == '.' && strncasecmp((const char *)file + i + 1, ends[e], k) == 0
                && (i + 1 + k == len || !ph_alnum(file[i + 1 + k] | 32))) {
                points = 60;
            }
        }
    }
    for (size_t m = 0; m < sizeof marks / sizeof *marks && !points; m++) {
        points = memmem(p, n, marks[m], strlen(marks[m])) ? 60 : 0;
    }
    ph_note(w, points, "program-in-upload", file, len);
}

/* Whether `n` more bytes of text may be judged: files cost nearly nothing, text takes its time. */
static int ph_room(ph_worst *w, size_t n) {
    w->over |= n > w->room;
    w->room -= w->over ? 0 : n;
    return !w->over;
}

static void ph_multipart(ph_scanner *s, const uint8_t *p, size_t n, int where, ph_worst *w) {
    const uint8_t *line = (const uint8_t *)memchr(p, '\n', n);
    size_t mark = line ? (size_t)(line - p) : 0;
    mark -= mark && p[mark - 1] == '\r';
    if (mark < 3 || mark > 200 || p[0] != '-' || p[1] != '-') {
        if (ph_room(w, n)) {
            ph_judge(s, p, n, where, 0, (const uint8_t *)"", 0, w);   /* no multipart: the text it is */
        }
        return;
    }
    const uint8_t *end = p + n, *part = line + 1;
    while (part < end) {
        const uint8_t *next = (const uint8_t *)memmem(part, (size_t)(end - part), p, mark);
        const uint8_t *stop = next ? next : end;
        size_t size = (size_t)(stop - part);
        const uint8_t *body = (const uint8_t *)memmem(part, size, "\r\n\r\n", 4);
        size_t gap = 4;
        if (!body) {
            body = (const uint8_t *)memmem(part, size, "\n\n", 2);
            gap = 2;
        }
        const uint8_t *name = (const uint8_t *)"", *file = NULL;
        size_t head = body ? (size_t)(body - part) : size;
        size_t name_len = ph_parameter(part, head, " name=", &name);
        size_t file_len = ph_parameter(part, head, "filename=", &file);
        body = body ? body + gap : stop;
        size_t len = (size_t)(stop - body);
        len -= len >= 2 && body[len - 2] == '\r' ? 2 : len >= 1 && body[len - 1] == '\n';
        if (!ph_room(w, name_len + (file ? file_len : len))) {
            return;
        }
        if (name_len) {
            ph_judge(s, name, name_len, PH_W_KEY, 0, name, name_len, w);
        }
        if (file) {
            ph_judge(s, file, file_len, where, 0, name, name_len, w);
            ph_upload(file, file_len, body, len, w);
        } else {
            ph_part(s, body, len, where, 0, name, name_len, 0, w);
        }
        if (!next) {
            break;
        }
        part = next + mark;
        if (part + 1 < end && part[0] == '-' && part[1] == '-') {
            break;
        }
    }
}
#endif
