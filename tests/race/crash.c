/* The cache's protocols without Python: readers and writers that are killed, many times.
 *
 *   crash KILLS SECONDS-AT-MOST
 *
 * Four processes read and write a small shared cache. Two of them kill themselves at a test
 * point inside of a shard's lock (PH_POINT), the other two are killed by the parent at any
 * instant. The parent kills and waits for a death of the first kind by turns, so that each kind
 * is half of all, however little of the processor the workers get. Each death is recovered as the arbiter does it, and the place is taken by a new
 * process. Prints: kills, kills inside of a lock, hits, races caught, torn, foreign, locks
 * stuck, shards whose counters differ from a recount. With -DPH_NO_REVALIDATION the same
 * program must find torn values.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t fuse;
static void point(void) {
    if (fuse && --fuse == 0) {
        kill(getpid(), SIGKILL);
    }
    if ((fuse & 63) == 1) {
        sched_yield();
    }
}
#define PH_POINT() point()
#include "ph_cacheput.h"

enum { WORKERS = 4, KEYS = 400, LARGEST = 700 /* words */ };

typedef struct {
    ph_a64 hits, races, torn, foreign, puts;
    ph_a64 pad[11];
} tally;

static tally *tallies;
static ph_a32 *stop;
static ph_cache cache;

static uint64_t mix(uint64_t x) {
    x ^= x >> 30;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 27;
    x *= UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

/* A value: | key | tenant | number | words of all three |, of a length the number says. */
static size_t make(uint64_t key, uint64_t tenant, uint64_t number, uint64_t *out) {
    size_t n = 4 + mix(number) % LARGEST;
    out[0] = key;
    out[1] = tenant;
    out[2] = number;
    for (size_t i = 3; i < n; i++) {
        out[i] = mix(key * 31 + tenant * 17 + number + i);
    }
    return n * 8;
}

static void work(unsigned slot, unsigned incarnation, uint64_t seed) {
    static uint64_t copy[LARGEST + 8], want[LARGEST + 8];
    tally *t = &tallies[slot];
    cache.owner = slot << 16 | incarnation;
    for (uint64_t n = seed; !ph_load_rlx32(stop); n++) {
        uint64_t r = mix(n), key = r % KEYS, tenant = r >> 20 & 1;
        key = key * (r >> 40 & 1023) / 1024;          /* some more often than others */
        uint64_t h1 = mix(key + 1), h2 = mix(key + 1000);
        uint32_t now = ph_cache_ticks(ph_coarse_ns());
        ph_cache_hit hit;
        int found = ph_cache_find(&cache, h1, h2, (uint32_t)tenant, now, 0, &hit);
        if (found && hit.len <= sizeof copy) {
            memcpy(copy, hit.value, hit.len / 2);
            if ((r >> 50 & 3) == 0) {
                sched_yield();                         /* others overwrite what is half copied */
            }
            memcpy((uint8_t *)copy + hit.len / 2, hit.value + hit.len / 2, hit.len - hit.len / 2);
            if (!ph_cache_still(&hit)) {
                ph_bump(&t->races, 1);
            } else if (copy[0] != key || copy[1] != tenant) {
                ph_bump(&t->foreign, 1);
            } else if (make(key, tenant, copy[2], want) != hit.len || memcmp(want, copy, hit.len)) {
                ph_bump(&t->torn, 1);
            } else {
                ph_bump(&t->hits, 1);
            }
        }
        if (!found || (r >> 54 & 3) == 0) {
            uint64_t size = make(key, tenant, r >> 8, want);
            ph_cache_item item = {
                .h1 = h1, .h2 = h2, .value = (uint8_t *)want, .len = size, .tenant = (uint32_t)tenant,
                .tag = (uint32_t)(key & 7), .expiry = now + 1000000, .stale = now + 1000000, .saves = 1 + key % 9,
            };
            if (ph_cache_put(&cache, &item, now) == PH_PUT_OK) {
                ph_bump(&t->puts, 1);
            }
        }
    }
}

static pid_t start(unsigned slot, unsigned incarnation, uint64_t seed, int armed) {
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* else they would go on for ever without the parent */
        fuse = armed ? 50 + seed % 2000 : 0;
        work(slot, incarnation, seed);
        _exit(0);
    }
    return pid;
}

int main(int argc, char **argv) {
    unsigned kills = argc > 1 ? (unsigned)atoi(argv[1]) : 300, done = 0, inside = 0;
    uint64_t end = ph_mono_ns() + (uint64_t)(argc > 2 ? atoi(argv[2]) : 60) * 1000000000u;
    size_t bytes = 400 * 1024, all = 8192 + bytes;
    uint8_t *base = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    tallies = (tally *)(void *)base;
    stop = (ph_a32 *)(void *)(base + 4096);
    if (base == MAP_FAILED || !ph_cache_shape(&cache, base + 8192, bytes)) {
        return 2;
    }
    cache.writable = 1;
    cache.owner = 1;
    ph_cache_start(&cache);
    pid_t pid[WORKERS + 1] = {0};
    unsigned life[WORKERS + 1] = {0}, turn = 0;
    uint64_t seed = 1;
    while (done < kills && ph_mono_ns() < end) {
        for (unsigned slot = 1; slot <= WORKERS; slot++) {
            if (pid[slot] == 0) {
                seed += 1000003;
                pid[slot] = start(slot, ++life[slot], mix(seed), slot & 1);
            }
        }
        int status;
        pid_t gone;
        if (turn++ & 1) {
            gone = waitpid(-1, &status, 0);       /* who burns down first */
        } else {
            usleep(1000 + (useconds_t)(mix(seed + done) % 4000));
            gone = pid[2 + (turn & 2)];
            kill(gone, SIGKILL);
            waitpid(gone, &status, 0);
        }
        for (unsigned slot = 1; slot <= WORKERS; slot++) {
            if (pid[slot] == gone) {
                if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
                    fprintf(stderr, "a worker ended with status %d\n", status);
                    return 3;
                }
                done++;
                inside += ph_cache_recover(&cache, slot << 16 | life[slot]) > 0;
                pid[slot] = 0;
            }
        }
    }
    ph_store_rlx32(stop, 1);
    for (unsigned slot = 1; slot <= WORKERS; slot++) {
        if (pid[slot]) {
            int status;
            waitpid(pid[slot], &status, 0);
            inside += ph_cache_recover(&cache, slot << 16 | life[slot]) > 0;
        }
    }
    unsigned stuck = 0, differ = 0;
    for (uint32_t i = 0; i < cache.n_shards; i++) {
        ph_shard *s = ph_cache_nth(&cache, i);
        uint64_t units = ph_load_rlx(&s->live_units), entries = ph_load_rlx(&s->live_entries);
        stuck += ph_load_rlx32(&s->lock) != 0;
        ph_shard_recount(&cache, s);
        differ += units != ph_load_rlx(&s->live_units) || entries != ph_load_rlx(&s->live_entries);
    }
    uint64_t sum[4] = {0};
    for (unsigned slot = 1; slot <= WORKERS; slot++) {
        sum[0] += ph_load_rlx(&tallies[slot].hits);
        sum[1] += ph_load_rlx(&tallies[slot].races);
        sum[2] += ph_load_rlx(&tallies[slot].torn);
        sum[3] += ph_load_rlx(&tallies[slot].foreign);
    }
    printf("%u %u %llu %llu %llu %llu %u %u\n", done, inside, (unsigned long long)sum[0],
           (unsigned long long)sum[1], (unsigned long long)sum[2], (unsigned long long)sum[3], stuck, differ);
    return 0;
}
