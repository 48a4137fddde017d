/* A bounded, fair queue before an upstream that serves few requests at a time.
 *
 *   queue    | width, capacity | virtual time | model served last | holders | tickets |
 *   ticket   | word: slot << 8 | state | tag | key | model | cost ms | swap ms | since | began |
 *
 * Fair: each ticket's tag is its key's last tag, or the queue's virtual time (the tag that was
 * served last) if that is later, plus its own predicted cost (self-clocked fair queueing:
 * Golestani 1994), so a key
 * with a hundred requests does not hold up one with a single. A ticket whose model is not the
 * one that served last counts its predicted swap on top: A B A B becomes A A B B, and since
 * tags only grow nobody waits for ever.
 *
 * Who is next takes a holder by compare-and-swap, so that never more than `width` run. All
 * else is plain: readers may see a ticket that is just leaving, and look again.
 *
 * Writers   any process; a ticket is written by who entered it, and freed after a death.
 * Bound     128 + 16 x 8 + 128 x 64 bytes a queue, 8.4 KiB.
 */
#ifndef PH_QUEUE_H
#define PH_QUEUE_H

#include "ph_atomics.h"

enum { PH_QUEUE_TICKETS = 128, PH_QUEUE_WIDTH = 16 };
enum { PH_TICKET_FREE = 0, PH_TICKET_CLAIMED = 1, PH_TICKET_WAITS = 2, PH_TICKET_RUNS = 3 };

typedef struct ph_ticket {
    ph_a32 word;              /* slot << 8 | state */
    uint32_t key;
    uint64_t tag;             /* virtual ms */
    uint64_t since;           /* CLOCK_MONOTONIC ms */
    uint64_t began;
    uint32_t model;
    uint32_t cost;            /* predicted ms */
    uint32_t swap;            /* predicted ms of loading the model, 0 if it is loaded */
    uint32_t pad[5];
} ph_ticket;

typedef struct ph_queue {
    ph_a32 width;             /* 0: no queue, everybody may run */
    ph_a32 capacity;          /* waiting at most */
    ph_a64 virtual_ms;
    ph_a32 model;             /* served last */
    uint32_t pad0;
    ph_a64 used;              /* ms when it last began or ended a request */
    ph_a64 pad[12];
    ph_a64 holders[PH_QUEUE_WIDTH];   /* 0, or ticket + 1 */
    ph_ticket tickets[PH_QUEUE_TICKETS];
} ph_queue;

_Static_assert(sizeof(ph_ticket) == 64, "ph_ticket is 64 bytes");
_Static_assert(sizeof(ph_queue) == 256 + 64 * PH_QUEUE_TICKETS, "ph_queue is whole lines");

static inline unsigned ph_ticket_state(const ph_ticket *t) { return ph_load_acq32(&t->word) & 0xFF; }

static inline uint64_t ph_ticket_order(const ph_queue *queue, const ph_ticket *t) {
    return t->tag + (t->model == ph_load_rlx32(&queue->model) ? 0 : t->swap);
}

/* Whether `t` comes before `mine`; both wait. */
static inline int ph_ticket_before(const ph_queue *queue, const ph_ticket *t, const ph_ticket *mine) {
    uint64_t a = ph_ticket_order(queue, t), b = ph_ticket_order(queue, mine);
    if (a != b) {
        return a < b;
    }
    return t->since != mine->since ? t->since < mine->since : t < mine;
}

static inline uint64_t ph_ticket_left(const ph_ticket *t, uint64_t now) {
    uint64_t gone = now > t->began ? now - t->began : 0;
    return t->cost > gone ? t->cost - gone : 0;
}

/* A ticket's number; -1: so many wait already. */
static inline int ph_queue_enter(ph_queue *queue, uint32_t slot, uint32_t key, uint32_t model,
                                uint32_t cost, uint32_t swap, uint64_t now) {
    uint32_t waiting = 0, none;
    uint64_t tag = ph_load_rlx(&queue->virtual_ms);
    ph_ticket *mine = NULL;
    for (int i = 0; i < PH_QUEUE_TICKETS; i++) {
        ph_ticket *t = &queue->tickets[i];
        unsigned state = ph_ticket_state(t);
        waiting += state == PH_TICKET_WAITS || state == PH_TICKET_CLAIMED;
        if (state > PH_TICKET_CLAIMED && t->key == key && t->tag > tag) {
            tag = t->tag;
        }
    }
    uint32_t running = 0, width = ph_load_rlx32(&queue->width);
    for (uint32_t i = 0; i < width; i++) {
        running += ph_load_rlx(&queue->holders[i]) != 0;
    }
    if (waiting >= ph_load_rlx32(&queue->capacity) + (width - running)) {
        return -1;
    }
    for (int i = 0; i < PH_QUEUE_TICKETS && mine == NULL; i++) {
        none = PH_TICKET_FREE;
        if (ph_load_rlx32(&queue->tickets[i].word) == 0 &&
            ph_cas_acqrel32(&queue->tickets[i].word, &none, slot << 8 | PH_TICKET_CLAIMED)) {
            mine = &queue->tickets[i];
        }
    }
    if (mine == NULL) {
        return -1;
    }
    mine->key = key;
    mine->tag = tag + cost;
    mine->since = now;
    mine->began = 0;
    mine->model = model;
    mine->cost = cost;
    mine->swap = swap;
    ph_store_rel32(&mine->word, slot << 8 | PH_TICKET_WAITS);
    return (int)(mine - queue->tickets);
}

/* 0: it runs now; else its position from 1. `*eta`: predicted ms until it runs. */
static inline int ph_queue_turn(ph_queue *queue, int ticket, uint64_t now, uint64_t *eta) {
    ph_ticket *mine = &queue->tickets[ticket];
    uint32_t width = ph_load_rlx32(&queue->width);
    uint64_t ahead = 0, none;
    int position = 1, places = 0;
    *eta = 0;
    if (ph_ticket_state(mine) == PH_TICKET_RUNS) {
        return 0;
    }
    for (int i = 0; i < PH_QUEUE_TICKETS; i++) {
        ph_ticket *t = &queue->tickets[i];
        unsigned state = ph_ticket_state(t);
        if (state == PH_TICKET_RUNS) {
            ahead += ph_ticket_left(t, now);
        } else if (t != mine && state == PH_TICKET_WAITS && ph_ticket_before(queue, t, mine)) {
            ahead += t->cost;
            position++;
        }
    }
    for (uint32_t i = 0; i < width; i++) {
        none = 0;
        /* The first `position` free places are for those before it. */
        if (ph_load_rlx(&queue->holders[i]) == 0 && ++places == position &&
            ph_cas_acqrel(&queue->holders[i], &none, (uint64_t)ticket + 1)) {
            uint64_t v = ph_load_rlx(&queue->virtual_ms);
            while (v < mine->tag && !ph_cas_rlx(&queue->virtual_ms, &v, mine->tag)) {
            }
            mine->began = now;
            ph_store_rlx32(&queue->model, mine->model);
            ph_store_rlx(&queue->used, now);
            ph_store_rel32(&mine->word, (ph_load_rlx32(&mine->word) & ~0xFFu) | PH_TICKET_RUNS);
            return 0;
        }
    }
    *eta = ahead / (width ? width : 1);
    return position;
}

static inline void ph_queue_free(ph_queue *queue, int ticket) {
    for (int i = 0; i < PH_QUEUE_WIDTH; i++) {
        uint64_t held = (uint64_t)ticket + 1;
        ph_cas_acqrel(&queue->holders[i], &held, 0);
    }
    ph_store_rel32(&queue->tickets[ticket].word, PH_TICKET_FREE);
}

static inline void ph_queue_leave(ph_queue *queue, int ticket, uint64_t now) {
    if (ph_ticket_state(&queue->tickets[ticket]) == PH_TICKET_RUNS) {
        ph_store_rlx(&queue->used, now);
    }
    ph_queue_free(queue, ticket);
}

/* What a newcomer would meet. */
static inline uint64_t ph_queue_load(const ph_queue *queue, uint64_t now, uint32_t *waiting,
                                    uint32_t *running) {
    uint64_t ms = 0;
    *waiting = *running = 0;
    for (int i = 0; i < PH_QUEUE_TICKETS; i++) {
        const ph_ticket *t = &queue->tickets[i];
        unsigned state = ph_ticket_state(t);
        if (state == PH_TICKET_RUNS) {
            ++*running;
            ms += ph_ticket_left(t, now);
        } else if (state == PH_TICKET_WAITS) {
            ++*waiting;
            ms += t->cost;
        }
    }
    uint32_t width = ph_load_rlx32(&queue->width);
    return *running + *waiting < width || width == 0 ? 0 : ms / width;
}

static inline void ph_queue_recover(ph_queue *queue, uint32_t slot) {
    for (int i = 0; i < PH_QUEUE_TICKETS; i++) {
        uint32_t word = ph_load_acq32(&queue->tickets[i].word);
        if ((word & 0xFF) != PH_TICKET_FREE && word >> 8 == slot) {
            ph_queue_free(queue, i);
        }
    }
}

#endif
