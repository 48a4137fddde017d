/* One more view of a decoded value: without what a reader behind the hub may drop before it acts.
 *
 * SQL comments between the halves of a word (un / * * / ion), comments up to the line's end
 * (select#x\n1; MySQL 8.0 manual, 11.7), and short tags inside of a word (o<x>nclick), which filters
 * strip. One pass, never longer than its input.
 */
#ifndef PH_SCAN_VIEW_H
#define PH_SCAN_VIEW_H

#include "ph_scan.h"

#define PH_TAG_MOST 8           /* bytes of a tag that hides in a word */

static size_t ph_stripped(const uint8_t *p, size_t n, uint8_t *out) {
    size_t m = 0;
    int no_close = 0;
    if (!memchr(p, '#', n) && !memchr(p, '<', n) && !memmem(p, n, "/*", 2) && !memmem(p, n, "--", 2)) {
        return n;
    }
    for (size_t i = 0; i < n;) {
        uint8_t c = p[i];
        if (c == '/' && !no_close && i + 3 < n && p[i + 1] == '*' && p[i + 2] != '!') {
            size_t k = i + 2;
            const uint8_t *star = p + k;
            while ((star = (const uint8_t *)memchr(star, '*', (size_t)(p + n - star))) && (star + 1 >= p + n || star[1] != '/')) {
                star++;
            }
            if (star) {
                i = (size_t)(star - p) + 2;
                continue;
            }
            no_close = 1;
        } else if (c == '#' || (c == '-' && i + 1 < n && p[i + 1] == '-')) {
            const uint8_t *line = (const uint8_t *)memchr(p + i, '\n', n - i);
            if (line) {
                out[m++] = ' ';
                i = (size_t)(line - p) + 1;
                continue;
            }
            memcpy(out + m, p + i, n - i);
            return m + n - i;
        } else if (c == '<' && m && ph_lower(out[m - 1])) {
            size_t k = i + 1;
            while (k < n && k < i + PH_TAG_MOST && (ph_alnum(p[k]) || p[k] == '/')) {
                k++;
            }
            if (k > i + 1 && k + 1 < n && p[k] == '>' && (ph_lower(p[k + 1]) || p[k + 1] == '(' || p[k + 1] == '=')) {
                i = k + 1;
                continue;
            }
        }
        out[m++] = c;
        i++;
    }
    return m;
}
#endif
