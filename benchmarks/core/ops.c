/* Nanoseconds of the core's primitives, without Python: for each the least of many windows, all
 * interleaved in one run on one processor. A window is some microseconds, so that many of them
 * are left alone also on a busy machine.
 * `ops NAME`: one of them, many times, for counting instructions. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "ph_breaker.h"
#include "ph_budget.h"
#include "ph_cacheput.h"
#include "ph_hist.h"
#include "ph_inflight.h"
#include "ph_limiter.h"
#include "ph_ring.h"

enum { LOOP = 20000, SHORT = 1000, WINDOWS = 1500, KEYS = 1000, RING = 8192 };

static ph_limit limit;
static ph_breaker breaker;
static ph_hists hists;
static ph_rings rings, hot;
static ph_flights flights;
static ph_budgets budgets;
static ph_cache cache;
static ph_event event;
static uint8_t copied[16384], *source, *wide;
static uint64_t loop = SHORT, turn;
static uint64_t keys[KEYS][2];
static ph_a64 word;

#define COMMA ,
#define KEEP(x) __asm__ __volatile__("" : : "r"((uint64_t)(x))) /* computed, and not stored */
#define OP(name, body)                                                                       \
    static void name(void) {                                                                 \
        for (uint64_t i = 0; i < loop; i++) {                                                \
            body;                                                                            \
            __asm__ __volatile__("" ::: "memory");                                           \
        }                                                                                    \
    }

OP(nothing, )
OP(memcpy64, memcpy(copied + (i & 63) * 64, source + (i & 31) * 64, 64))
OP(memcpy128, memcpy(copied + (i & 63) * 128, source + (i & 31) * 128, 128))
/* Over as much memory as a ring has. */
OP(memcpy64_wide, memcpy(wide + (turn++ & (2 * RING - 1)) * 64, source + (i & 31) * 64, 64))
OP(memcpy128_wide, memcpy(wide + (turn++ & (RING - 1)) * 128, source + (i & 31) * 128, 128))
OP(cas, uint64_t seen = ph_load_rlx(&word); KEEP(ph_cas_rlx(&word, &seen, i)))
OP(gcra, KEEP(ph_limit_hit(&limit, 1 + i, 1)))
OP(allow, KEEP(ph_br_allow(&breaker, 1000)))
OP(record, ph_br_record(&breaker, 1, turn++)) /* time goes on: a full counter is left alone */
OP(histogram, ph_hist_record(&hists, 0, 0, i & 0xFFFF))
OP(push, event.ts_ns = i; ph_ring_push(&rings, 0, &event))
OP(push_hot, event.ts_ns = i; ph_ring_push(&hot, 0, &event))
OP(flight, ph_fl_begin(&flights, (i & 7) * UINT64_C(0x9E3779B97F4A7C15), 1, 3000, 5);
   ph_fl_end(&flights, (i & 7) * UINT64_C(0x9E3779B97F4A7C15), 1))
OP(reserve, uint32_t rows[4] = {0 COMMA 1 COMMA 2 COMMA 3}; uint16_t w[2] = {1 COMMA 1};
   ph_budget_reserve(&budgets, 1, rows, 4, 10, w, 0); ph_budget_settle(&budgets, 1, rows, 4, 10, 1, w))
static void find_(uint64_t i, int copy) {
    ph_cache_hit hit;
    uint64_t *k = keys[i % KEYS];
    if (ph_cache_find(&cache, k[0], k[1], 1, 5, 0, &hit)) {
        if (copy) {
            memcpy(copied, hit.value, hit.len);
        }
        KEEP(ph_cache_still(&hit));
    }
}
OP(find, find_(i, 0))
OP(find_copy, find_(i, 1))
static void put_(uint64_t i) {
    uint64_t *k = keys[i % KEYS];
    ph_cache_item item = {.h1 = k[0], .h2 = k[1], .value = source, .len = 1024, .tenant = 1,
                          .expiry = 1000, .stale = 1000, .saves = 1};
    KEEP(ph_cache_put(&cache, &item, 5));
}
OP(put, put_(i))

static const struct { const char *name; void (*run)(void); } ops[] = {
    {"nothing", nothing}, {"memcpy64", memcpy64}, {"memcpy128", memcpy128},
    {"memcpy64_wide", memcpy64_wide}, {"memcpy128_wide", memcpy128_wide}, {"cas", cas}, {"gcra", gcra},
    {"breaker_allow", allow}, {"breaker_record", record}, {"histogram", histogram}, {"event", push},
    {"event_hot", push_hot},
    {"flight", flight}, {"budget4", reserve}, {"find", find}, {"find_copy_1k", find_copy}, {"put_1k", put},
};
enum { OPS = sizeof ops / sizeof *ops };

static void *shared(size_t n) {
    return mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

static void ring(ph_rings *r, uint32_t capacity) {
    *r = (ph_rings){.capacity = capacity, .rings = 1, .wake = -1, .stride = ph_rings_stride(capacity)};
    r->base = shared(r->stride);
}

int main(int argc, char **argv) {
    static int fds[2];
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
    /* Half a page off: a load waits for a store whose address has the same last twelve bits. */
    source = (uint8_t *)shared(32768) + ((uintptr_t)copied + 2048) % 4096;
    wide = shared(RING * 128);
    fds[0] = eventfd(0, EFD_NONBLOCK);
    fds[1] = eventfd(0, EFD_NONBLOCK);
    ph_limit_set(&limit, 1, UINT64_C(1) << 40);
    ph_br_set(&breaker, 5, 16000, 1000, 1000);
    hists.base = shared(sizeof(ph_hist));
    hists.rows = hists.series = 1;
    ring(&rings, RING);
    ring(&hot, 64);
    flights.buckets = shared(512 * sizeof(ph_flight_bucket));
    flights.n = 512;
    flights.eventfd = fds;
    flights.n_fds = 2;
    budgets.rows = 64;
    budgets.n_slots = 11;
    budgets.row = shared(64 * sizeof(ph_budget_row));
    budgets.stride = ph_budget_stride(64);
    budgets.slots = shared(11 * budgets.stride);
    size_t bytes = 8 << 20;
    ph_cache_shape(&cache, shared(bytes), bytes);
    cache.writable = 1;
    cache.owner = 1;
    ph_cache_start(&cache);
    for (uint64_t i = 0; i < KEYS; i++) {
        keys[i][0] = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
        keys[i][1] = (i + 7) * UINT64_C(0xBF58476D1CE4E5B9);
        put_(i);
    }
    if (argc > 1) {
        loop = LOOP;
        for (int k = 0; k < OPS; k++) {
            if (strcmp(ops[k].name, argv[1]) == 0) {
                ops[k].run();
            }
        }
        return 0;
    }
    double least[OPS];
    for (int w = 0; w < WINDOWS; w++) {
        for (int k = 0; k < OPS; k++) {
            uint64_t start = ph_mono_ns();
            ops[k].run();
            double ns = (double)(ph_mono_ns() - start) / SHORT;
            least[k] = w == 0 || ns < least[k] ? ns : least[k];
        }
    }
    for (int k = 0; k < OPS; k++) {
        printf("%s %.2f\n", ops[k].name, least[k]);
    }
    return 0;
}
