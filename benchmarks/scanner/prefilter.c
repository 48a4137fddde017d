/* Nanoseconds a value of the scanner's stages, without Python: `prefilter KEYWORDS VALUES`, both files of
 * lines; the least of many rounds. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ph_scan_request.h"

enum { ROUNDS = 40, MOST = 20000 };

static uint8_t *lines[MOST];
static size_t lengths[MOST];
static ph_scanner scanner;
static volatile uint32_t sink;

static unsigned read_lines(const char *name) {
    FILE *file = fopen(name, "rb");
    char *line = NULL;
    size_t room = 0;
    unsigned count = 0;
    if (!file) {
        perror(name);
        exit(2);
    }
    for (ssize_t n; count < MOST && (n = getline(&line, &room, file)) >= 0;) {
        n -= n && line[n - 1] == '\n';
        if (n) {
            lengths[count] = (size_t)n;
            lines[count] = (uint8_t *)malloc((size_t)n + 1);
            memcpy(lines[count++], line, (size_t)n);
        }
    }
    fclose(file);
    free(line);
    return count;
}

static void keywords(const char *name) {
    static const char *words[MOST];
    unsigned count = read_lines(name), kept = 0;
    for (unsigned i = 0; i < count; i++) {
        if (lines[i][0] != '#') {
            lines[i][lengths[i]] = 0;
            words[kept++] = (const char *)lines[i];
        }
    }
    if (!ph_names_build(&scanner.keys, words)) {
        exit(2);
    }
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void stage(const char *name, unsigned count, int which) {
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now();
        for (unsigned i = 0; i < count; i++) {
            ph_worst w = {.memory = 1};
            if (which == 0) {
                uint32_t classes;
                sink += (uint32_t)ph_usual(&scanner, lines[i], lengths[i], &classes);
            } else {
                ph_part(&scanner, lines[i], lengths[i], PH_W_QUERY, 1, (const uint8_t *)"", 0, 0, &w);
                sink += w.total;
            }
        }
        double took = (now() - begin) / count;
        best = took < best ? took : best;
    }
    printf("%s %.2f\n", name, best);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        return 2;
    }
    if (!ph_scanner_build(&scanner)) {
        return 2;
    }
    keywords(argv[1]);
    unsigned count = read_lines(argv[2]);
    stage("prefilter", count, 0);
    stage("value", count, 1);
    return 0;
}
