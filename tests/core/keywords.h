/* The scanner's pattern file, for programs of tests. */
#include <stdio.h>

#include "ph_scan_request.h"

/* Into `words`, with a NULL behind them. How many; 0: no such file. */
static unsigned read_keywords(const char *name, const char *words[PH_TEDDY_MAX + 1]) {
    FILE *file = fopen(name, "r");
    char *line = NULL;
    size_t room = 0;
    unsigned count = 0;
    for (ssize_t n; file && count < PH_TEDDY_MAX && (n = getline(&line, &room, file)) >= 0;) {
        line[strcspn(line, "\n")] = 0;
        if (*line && *line != '#') {
            words[count++] = strdup(line);
        }
    }
    free(line);
    words[count] = NULL;
    return file && fclose(file) == 0 ? count : 0;
}
