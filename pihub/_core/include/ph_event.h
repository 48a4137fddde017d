/* One request, as it goes from a worker's ring to the recorder.
 *
 * Layout (little-endian, 128 bytes; pihub/shared/events.py is its Python face and a
 * test compares the two):
 */
#ifndef PH_EVENT_H
#define PH_EVENT_H

#include <stddef.h>
#include <stdint.h>

typedef struct ph_event {
    uint64_t ts_ns;          /* wall clock at the start, ns since 1970 */
    uint64_t rid;            /* request id */
    int64_t cost_nano;       /* nano-USD; -1: price unknown */
    int64_t saved_nano;      /* what a hit would have cost; -1: unknown */
    uint32_t dur_us;         /* until the last byte was handed to the server */
    uint32_t ttft_us;        /* until the first content byte; 0: none */
    uint32_t in_tok;
    uint32_t out_tok;
    uint32_t cache_read_tok;
    uint32_t cache_write_tok;
    uint32_t bytes_in;
    uint32_t bytes_out;
    uint32_t key;            /* key number, 0: none */
    uint32_t stage_us[5];    /* inspect, lookup, route, call (to first byte), render */
    uint16_t status;
    uint16_t tenant;
    uint16_t route;          /* names index of the route */
    uint16_t model;          /* names index of the served model, 0: none */
    uint16_t upstream;       /* names index, 0: none */
    uint16_t alias;          /* names index of the model the client asked for */
    uint8_t cache;           /* 0 none 1 hit 2 miss 3 bypass 4 shared 5 stale 6 negative */
    uint8_t flags;           /* 1 stream 2 error 4 client gone 8 simulated 16 estimated */
    uint8_t attempts;        /* upstream calls made */
    uint8_t reason;          /* see domain/event.py */
    uint16_t worker;
    uint16_t error;          /* names index of the error code, 0: none */
    uint32_t kept;           /* bytes that its answer takes in the cache; 0: not kept */
    uint64_t look;           /* the cache key's first half (an exact hit: the canonical key's); 0: none */
    uint32_t kept_ttl;       /* seconds that it may be used */
    uint8_t why;             /* why not from the cache, or not kept: domain/whynot.py; 0: nothing to say */
    uint8_t queued;          /* waits for a turn and for a place, domain/brief.py; 0: none */
    uint8_t dialed;          /* name, TCP and TLS of new connections, likewise */
    uint8_t stalls;          /* of its stream; 255: that many or more */
} ph_event;

_Static_assert(sizeof(ph_event) == 128, "ph_event is 128 bytes");

#endif
