/* What the vector engines say of short values, against the scalar ones: `plain KEYWORDS`. Every value ends at a page
 * behind which nothing may be read. Prints how many were plain, and of how many that could have been. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "keywords.h"

enum { VALUES = 400000, ROOM = 4 * PH_PLAIN_MOST };

static ph_scanner scanner;
static const char *words[PH_TEDDY_MAX + 1];
static unsigned count;
static uint64_t state = 88172645463325252u;

static unsigned draw(unsigned below) {                   /* Marsaglia, Xorshift RNGs, 2003 */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % below;
}

/* Letters of all usual bytes, sometimes a keyword, a part of one, or any byte at all. */
static void fill(uint8_t *p, size_t n) {
    static const char usual[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _,:@?~+";
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)usual[draw(sizeof usual - 1)];
    }
    if (n && draw(3) == 0) {
        const char *word = words[draw(count)];
        size_t k = strlen(word), from = draw((unsigned)n);
        for (size_t i = from; i < n && i - from < k; i++) {
            p[i] = (uint8_t)(draw(4) ? word[i - from] : (word[i - from] ^ (ph_lower(word[i - from] | 32) ? 32 : 0)));
        }
    }
    if (n && draw(8) == 0) {
        p[draw((unsigned)n)] = (uint8_t)draw(256);
    }
}

int main(int argc, char **argv) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *map = (uint8_t *)mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned yes = 0, could = 0;
    if (argc != 2 || map == MAP_FAILED || mprotect(map + page, page, PROT_NONE) || !ph_scanner_build(&scanner)
        || !(count = read_keywords(argv[1], words)) || !ph_names_build(&scanner.keys, words)) {
        return 2;
    }
    for (unsigned k = 0; k < VALUES; k++) {
        size_t n = draw(k % 16 ? PH_PLAIN_MOST + 1 : ROOM);
        uint8_t *p = map + page - n;
        fill(p, n);
        uint32_t classes = ph_class_scalar(p, n);
        ph_hit hit = ph_teddy_scalar(&scanner.keys, p, n, 0), found = ph_teddy_find(&scanner.keys, p, n, 0);
        if (ph_class_scan(p, n) != classes || found.index != hit.index || found.at != hit.at) {
            printf("value %u of %zu bytes: classes or literals\n", k, n);
            return 1;
        }
        int fine = !(classes & (PH_C_UNUSUAL | PH_C_HIGH)) && hit.index == UINT32_MAX;
        int plain = n <= PH_PLAIN_MOST && ph_plain(&scanner.keys, p, n);
        int lanes = plain;
#ifdef ph_plain_narrow
        lanes = n <= PH_PLAIN_MOST && ph_plain_narrow(&scanner.keys, p, n);
#endif
        if ((plain || lanes) && !fine) {
            printf("value %u of %zu bytes: plain %d %d\n", k, n, plain, lanes);
            return 1;
        }
        yes += plain & lanes;
        could += fine && n <= PH_PLAIN_MOST;
    }
    printf("%u %u\n", yes, could);
    return 0;
}
