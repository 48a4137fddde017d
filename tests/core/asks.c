/* What is judged of values: `asks KEYWORDS < VALUES`, a value a line, % escapes undone first. One line each:
 * points, class, rule and offset in every place. Built with and without PH_ASK_ALL by test_scanner_asks.py. */
#define _GNU_SOURCE
#include "keywords.h"

static ph_scanner scanner;
static const char *words[PH_TEDDY_MAX + 1];

int main(int argc, char **argv) {
    char *line = NULL;
    size_t room = 0;
    if (argc != 2 || !ph_scanner_build(&scanner) || !read_keywords(argv[1], words)
        || !ph_names_build(&scanner.keys, words)) {
        return 2;
    }
    for (ssize_t n; (n = getline(&line, &room, stdin)) > 0;) {
        unsigned flags = 0;
        uint8_t *value = (uint8_t *)malloc((size_t)n);
        size_t m = ph_unescape((const uint8_t *)line, (size_t)n - 1, value, 0, &flags);
        for (int where = PH_W_PATH; where <= PH_W_KEY; where++) {
            ph_worst w = {.memory = 1};
            ph_judge(&scanner, value, m, where, 0, (const uint8_t *)"", 0, &w);
            printf("%u %d %s %u;", w.total, w.cls, w.total ? w.rule : "", w.at);
        }
        putchar('\n');
        free(value);
    }
    free(line);
    return 0;
}
