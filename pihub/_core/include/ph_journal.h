/* The journal: one place where a finished request is counted, timed and recorded.
 *
 * Everything follows from the event, so an answer of the edge and one of the pipeline cannot
 * be counted by different rules. One writer: the process of the slot. A writer killed between
 * two stores leaves counts one request apart, each of them whole.
 *
 * The numbers below are those of shared/metrics.py, shared/events.py and domain/event.py;
 * tests/core/test_journal.py compares them.
 */
#ifndef PH_JOURNAL_H
#define PH_JOURNAL_H

#include "ph_counters.h"
#include "ph_hist.h"
#include "ph_ring.h"

enum {
    PH_COLUMN_REQUESTS = 0,
    PH_COLUMN_HITS = 1,
    PH_COLUMN_REFUSED = 2,
    PH_COLUMN_ERRORS = 3,
    PH_COLUMN_MISSES = 4,
    PH_COLUMN_BYPASSES = 5,
    PH_COLUMN_SHARED = 6,
    PH_COLUMN_STALE = 7,
    PH_COLUMN_IN_FLIGHT = 9,   /* a gauge; the lane's and the pipeline's */
    PH_COLUMN_BYTES_IN = 12,
    PH_COLUMN_BYTES_OUT = 13,
    PH_COLUMN_TOKENS_IN = 14,
    PH_COLUMN_TOKENS_OUT = 15,
    PH_COLUMN_COST_NANO = 16,
    PH_COLUMN_SAVED_NANO = 17,
    PH_COLUMN_CLIENT_GONE = 19,
    PH_COLUMN_NEGATIVE = 46,
    PH_JOURNAL_COLUMNS = 47    /* the counters have at least so many */
};

enum {
    PH_SERIES_REQUEST = 0,
    PH_SERIES_TTFT = 1,
    PH_SERIES_UPSTREAM = 2,
    PH_SERIES_INSPECT = 3,     /* the stages' series follow each other */
    PH_SERIES_REMEMBER = 8,
    PH_JOURNAL_STAGES = 6,
    PH_JOURNAL_SERIES = 9
};

enum {
    PH_ROUTE_API = 5,
    PH_STATUS_CLASSES = 6,
    PH_ROUTE_CACHE = 6,        /* within a route's columns: the states of the cache */
    PH_ROUTE_WHY = 12,         /* and why it was not used, or nothing was kept; from 1 on */
    PH_ROUTE_COLUMNS = 40,
    PH_CACHE_HIT = 1,
    PH_CACHE_BYPASS = 3,
    PH_CACHE_NEGATIVE = 6,     /* the last: its column is that of reason 0, which nobody counts */
    PH_FLAG_STREAM = 1,
    PH_FLAG_ERROR = 2,
    PH_FLAG_CLIENT_GONE = 4,
    PH_FLAG_SIMULATED = 8,
    PH_FLAG_ESTIMATED = 16,
    PH_REASON_FIRST_CHOICE = 1,
    PH_REASON_CACHE_EXACT = 10,
    PH_REASON_REFUSED = 17,
    PH_WHY_TEMPERATURE_UNSET = 2,
    PH_WHY_TEMPERATURE = 3
};

typedef struct ph_journal {
    ph_counters counters;
    ph_counters routes;
    ph_hists latency;
    ph_rings ring;
    uint32_t slot;
    uint64_t wall_read;        /* CLOCK_MONOTONIC ns of the last look at the wall clock */
    uint64_t wall_ahead;       /* ns from one clock to the other, modulo 2**64 */
} ph_journal;

static const uint8_t ph_journal_cache[PH_CACHE_NEGATIVE + 1] = {
    0, PH_COLUMN_HITS, PH_COLUMN_MISSES, PH_COLUMN_BYPASSES, PH_COLUMN_SHARED, PH_COLUMN_STALE,
    PH_COLUMN_NEGATIVE,
};

_Static_assert(PH_ROUTE_CACHE + PH_CACHE_NEGATIVE <= PH_ROUTE_WHY, "a state has its own column");

static inline uint32_t ph_clamp32(uint64_t n) {
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/* Column of the routes table for a status: its class; 499 (client gone) is class 0. */
static inline uint32_t ph_route_column(uint32_t route, uint32_t status) {
    uint32_t digit = status / 100;
    return route * PH_ROUTE_COLUMNS + (status == 499 ? 0 : digit < 5 ? digit : 5);
}

/* Wall clock of a CLOCK_MONOTONIC instant; their difference is looked at once a second. */
static inline uint64_t ph_journal_wall(ph_journal *j, uint64_t now, uint64_t instant) {
    if (ph_unlikely(now - j->wall_read > 1000000000u)) {
        j->wall_read = now;
        j->wall_ahead = ph_wall_ns() - ph_mono_ns();
    }
    return instant + j->wall_ahead;
}

static inline void ph_journal_write(const ph_journal *j, const ph_event *e) {
    uint32_t column = ph_route_column(e->route, e->status);
#define PH_COUNT(column, n) ph_counter_add(&j->counters, j->slot, column, (int64_t)(n))
    PH_COUNT(PH_COLUMN_REQUESTS, 1);
    if (e->cache > 0 && e->cache <= PH_CACHE_NEGATIVE)
        PH_COUNT(ph_journal_cache[e->cache], 1);
    if (e->reason == PH_REASON_REFUSED)
        PH_COUNT(PH_COLUMN_REFUSED, 1);
    if (e->status >= 500)
        PH_COUNT(PH_COLUMN_ERRORS, 1);
    if (e->flags & PH_FLAG_CLIENT_GONE)
        PH_COUNT(PH_COLUMN_CLIENT_GONE, 1);
    PH_COUNT(PH_COLUMN_BYTES_IN, e->bytes_in);
    PH_COUNT(PH_COLUMN_BYTES_OUT, e->bytes_out);
    if (e->attempts > 0) {     /* a kept answer's tokens are in its record, nobody spent them */
        PH_COUNT(PH_COLUMN_TOKENS_IN, e->in_tok);
        PH_COUNT(PH_COLUMN_TOKENS_OUT, e->out_tok);
    }
    if (e->cost_nano > 0)
        PH_COUNT(PH_COLUMN_COST_NANO, e->cost_nano);
    if (e->saved_nano > 0)
        PH_COUNT(PH_COLUMN_SAVED_NANO, e->saved_nano);
#undef PH_COUNT
    if (column < j->routes.columns) {
        uint32_t row = e->route * PH_ROUTE_COLUMNS;
        ph_counter_add(&j->routes, j->slot, column, 1);
        if (e->cache > 0 && e->cache <= PH_CACHE_NEGATIVE)
            ph_counter_add(&j->routes, j->slot, row + PH_ROUTE_CACHE + e->cache, 1);
        if (e->why > 0 && e->why < PH_ROUTE_COLUMNS - PH_ROUTE_WHY)
            ph_counter_add(&j->routes, j->slot, row + PH_ROUTE_WHY + e->why, 1);
    }
    ph_hist_record(&j->latency, j->slot, PH_SERIES_REQUEST, e->dur_us);
    if (e->ttft_us > 0 && e->route != PH_ROUTE_API) /* an API's first byte is no token */
        ph_hist_record(&j->latency, j->slot, PH_SERIES_TTFT, e->ttft_us);
    ph_ring_push(&j->ring, j->slot, e);
}

/* The request that began at t0 (CLOCK_MONOTONIC ns) is over now: sets the event's times and
 * worker, then writes it. */
static inline void ph_journal_close(ph_journal *j, ph_event *e, uint64_t t0) {
    uint64_t now = ph_mono_ns();
    e->ts_ns = ph_journal_wall(j, now, t0);
    e->dur_us = now > t0 ? ph_clamp32((now - t0) / 1000) : 0;
    e->worker = (uint16_t)j->slot;
    ph_journal_write(j, e);
}

#endif
