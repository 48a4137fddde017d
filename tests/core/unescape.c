/* What one round of unescaping makes of values: `unescape < VALUES`, a value a line in hex. One line each: into other
 * memory, in place, both again with pluses as spaces; a tilde, then the flags, behind each. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "ph_scan_decode.h"

static void told(const uint8_t *value, size_t n, int plus, int apart) {
    uint8_t *from = (uint8_t *)malloc(n + 1), *to = apart ? (uint8_t *)malloc(n + 1) : from;
    unsigned flags = 0;
    memcpy(from, value, n);
    size_t m = ph_unescape(from, n, to, plus, &flags);
    for (size_t i = 0; i < m; i++) {
        printf("%02x", to[i]);
    }
    printf("~%x ", flags);
    if (apart) {
        free(to);
    }
    free(from);
}

int main(void) {
    char *line = NULL;
    size_t room = 0;
    for (ssize_t n; (n = getline(&line, &room, stdin)) > 0;) {
        uint8_t *value = (uint8_t *)malloc((size_t)n);
        size_t m = 0;
        for (ssize_t k = 0; k + 2 < n; k += 2) {
            value[m++] = (uint8_t)(ph_hexval((uint8_t)line[k]) << 4 | ph_hexval((uint8_t)line[k + 1]));
        }
        for (int plus = 0; plus < 2; plus++) {
            told(value, m, plus, 1);
            told(value, m, plus, 0);
        }
        putchar('\n');
        free(value);
    }
    free(line);
    return 0;
}
