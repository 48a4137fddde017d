/* What the scanner's lexer tells of texts: `tokens MOST < TEXTS`, a text a line in hexadecimal, MOST tokens a call. One line
 * each: type, place, length and flags of every token. For test_scanner_tokens.py. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "ph_scan_lex.h"

static ph_words words;
static ph_tok window[PH_TOKENS + 1];
static uint16_t names[PH_TOKENS + 1];

int main(int argc, char **argv) {
    char *line = NULL;
    size_t room = 0;
    int most = argc == 2 ? atoi(argv[1]) : 0;
    if (most < 1 || most > PH_TOKENS || !ph_words_build(&words)) {
        return 2;
    }
    for (ssize_t n; (n = getline(&line, &room, stdin)) > 0;) {
        size_t m = (size_t)n / 2;
        uint8_t *text = (uint8_t *)calloc(m + 128, 1);      /* the lexer reads 64 bytes behind the text */
        for (size_t i = 0; i < m; i++) {
            text[i] = (uint8_t)(ph_hexval((uint8_t)line[2 * i]) << 4 | ph_hexval((uint8_t)line[2 * i + 1]));
        }
        ph_lexer x = {&words, text, m, 0, 0, names, 0};
        int have;
        do {
            have = ph_lex(&x, window, 0, most);
            for (int k = 0; k < have; k++) {
                printf("%u %u %u %u;", window[k].type, window[k].at, window[k].len, window[k].flags);
            }
        } while (have == most);
        putchar('\n');
        fflush(stdout);
        free(text);
    }
    free(line);
    return 0;
}
