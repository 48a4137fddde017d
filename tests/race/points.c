/* Races at their narrowest places: processes yield where another may come between.
 *
 *   points leaders    no two leaders of one key at once; every follower is woken
 *   points probes     one probe a lease
 *
 * They end after 30,000 turns, or 100,000 steps, of each of four processes, or after half a minute:
 * on a machine whose other processes take each yielded turn, those are many minutes. Prints what was
 * led, followed, and probed; exit 1 with a line on stderr if a rule was broken.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HALF_A_MINUTE UINT64_C(30000000000)

static uint64_t dice = 88172645463325252u;

static uint64_t roll(void) {
    dice ^= dice << 13;
    dice ^= dice >> 7;
    return dice ^= dice << 17;
}

static void point(void) {
    if (roll() % 4 == 0) {
        sched_yield();
    }
}
#define PH_POINT() point()

#include "ph_breaker.h"
#include "ph_inflight.h"

enum { WORKERS = 4, KEYS = 5 };

typedef struct shared {
    ph_flight_bucket bucket;
    ph_breaker breaker;
    ph_a64 leading[KEYS];
    ph_a64 led, followed, probes, ready, broken;
    uint64_t steps[WORKERS];
} shared;

static shared *all;
static ph_flights table;
static int fds[WORKERS];

static void broken(const char *what) {
    fprintf(stderr, "%s\n", what);
    ph_add_rlx(&all->broken, 1);
}

static void lead_and_follow(unsigned me) {
    uint64_t end = ph_mono_ns() + HALF_A_MINUTE;
    for (int turn = 0; turn < 30000 && ph_mono_ns() < end; turn++) {
        uint64_t key = roll() % KEYS;
        int got = ph_fl_begin(&table, key + 1, me, 60000, 1);
        if (got == PH_FL_LEAD) {
            if (ph_add_rlx(&all->leading[key], 1) != 0) {
                broken("two leaders at once");
            }
            point();
            ph_add_rlx(&all->leading[key], UINT64_MAX);
            ph_fl_end(&table, key + 1, me);
            ph_add_rlx(&all->led, 1);
        } else if (got == PH_FL_FOLLOW) {
            struct pollfd p = {.fd = fds[me], .events = POLLIN};
            uint64_t n;
            if (poll(&p, 1, 5000) != 1) {
                broken("a follower was never woken");
                return;
            }
            if (read(fds[me], &n, sizeof n) != sizeof n) {
                broken("eventfd");
            }
            ph_add_rlx(&all->followed, 1);
        }
    }
}

static void probe(unsigned me) {
    uint64_t end = ph_mono_ns() + HALF_A_MINUTE;
    for (uint64_t step = 1; step <= 100000 && ph_mono_ns() < end; step++) {
        all->steps[me] = step;
        if (ph_br_allow(&all->breaker, step * 10)) {
            ph_add_rlx(&all->probes, 1);
        }
    }
}

int main(int argc, char **argv) {
    int leaders = argc > 1 && strcmp(argv[1], "leaders") == 0;
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) {
        return 2;
    }
    for (int i = 0; i < WORKERS; i++) {
        fds[i] = eventfd(0, EFD_NONBLOCK);
    }
    table = (ph_flights){&all->bucket, 1, fds, WORKERS};
    ph_br_set(&all->breaker, 1, 1000, 5, 5);
    ph_br_record(&all->breaker, 0, 0);
    for (unsigned me = 0; me < WORKERS; me++) {
        if (fork() == 0) {
            dice ^= (uint64_t)me << 40;
            ph_add_rlx(&all->ready, 1);
            while (ph_load_acq(&all->ready) < WORKERS) {
            }
            (leaders ? lead_and_follow : probe)(me);
            _exit(0);
        }
    }
    for (int i = 0, status; i < WORKERS; i++) {
        if (wait(&status) < 0 || status != 0) {
            broken("a child failed");
        }
    }
    uint64_t furthest = 0;  /* whoever comes to a step first gets its lease, the others none */
    for (unsigned me = 0; me < WORKERS; me++) {
        furthest = all->steps[me] > furthest ? all->steps[me] : furthest;
    }
    if (ph_load_rlx(&all->probes) != furthest) {
        broken("probes are not one a lease");
    }
    printf("%llu %llu %llu\n", (unsigned long long)ph_load_rlx(&all->led),
           (unsigned long long)ph_load_rlx(&all->followed), (unsigned long long)ph_load_rlx(&all->probes));
    return ph_load_rlx(&all->broken) != 0;
}
