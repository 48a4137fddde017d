/* The arena's first bytes: header, region table, worker slots; and the head of a region.
 *
 *   0      ph_header            magic, version, sizes, secret            512 bytes
 *   512    ph_region[32]        name, offset, length                      64 bytes each
 *   2560   (to 4096: zero)
 *   4096   ph_slot[65]          one a process: 0 control, 1.. workers    128 bytes each
 *   ...    regions, each at a multiple of the page size of this machine
 *
 * Offsets, never pointers. All numbers little-endian (asserted below). A change of any
 * struct here, or of a region's contents, is a new PH_LAYOUT.
 */
#ifndef PH_LAYOUT_H
#define PH_LAYOUT_H

#include "ph_atomics.h"
#include "ph_event.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "pihub supports little-endian machines only"
#endif

#define PH_MAGIC 0x4D48534255484950ull /* "PIHUBSHM" */
#define PH_LAYOUT 4u
#define PH_LINE 128            /* what two processes write never shares 128 bytes */
#define PH_MAX_REGIONS 32
#define PH_MAX_SLOTS 65        /* 64 workers and the control process: 8 KiB */
#define PH_NAME 40
#define PH_REGIONS_AT 512
#define PH_SLOTS_AT 4096      /* of the layout, on every machine: no page */
#define PH_MAX_PAGE 65536      /* the largest of Linux on ARM */

typedef struct ph_header {
    uint64_t magic;
    uint32_t layout;
    uint32_t page_size;        /* bytes; 4 or 16 KiB on a Pi */
    uint64_t size;             /* bytes, the whole arena */
    uint64_t boot_id;
    uint8_t secret[32];
    uint32_t creator_pid;
    uint32_t n_slots;
    uint32_t n_regions;
    uint16_t sizeof_header;    /* the struct sizes of the build that made it */
    uint16_t sizeof_region;
    uint16_t sizeof_slot;
    uint16_t sizeof_event;
    uint16_t sizeof_head;
    uint16_t pad0;
    uint64_t created_ns;       /* CLOCK_MONOTONIC */
    uint8_t pad[416];
} ph_header;

typedef struct ph_region {
    char name[PH_NAME];        /* NUL-terminated ASCII */
    uint64_t off;
    uint64_t len;
    uint8_t pad[8];
} ph_region;

/* One process. Written by that process and, after its death, by the arbiter. */
typedef struct ph_slot {
    ph_a64 word;               /* pid << 32 | incarnation (u16, never 0 once claimed) */
    ph_a64 beat_ms;            /* CLOCK_MONOTONIC */
    uint8_t pad[112];
} ph_slot;

/* First 128 bytes of a structured region: what lies in it and in which shape. */
typedef struct ph_head {
    ph_a32 kind;               /* 0: not yet set up; else PH_KIND_*; stored last */
    uint32_t pad0;
    uint64_t shape[4];         /* the constructor's numbers, compared on each opening */
    uint8_t pad[88];
} ph_head;

enum {
    PH_KIND_COUNTERS = 1, PH_KIND_BOARD, PH_KIND_NAMES, PH_KIND_RING, PH_KIND_HISTOGRAM,
    PH_KIND_KEYTABLE, PH_KIND_CACHE, PH_KIND_INFLIGHT, PH_KIND_LIMITER, PH_KIND_BREAKER,
    PH_KIND_BUDGET, PH_KIND_STREAMS, PH_KIND_QUEUE, PH_KIND_SPEEDS
};

_Static_assert(sizeof(ph_header) == 512, "ph_header is 512 bytes");
_Static_assert(sizeof(ph_region) == 64, "ph_region is 64 bytes");
_Static_assert(sizeof(ph_slot) == PH_LINE, "ph_slot is one line");
_Static_assert(sizeof(ph_head) == PH_LINE, "ph_head is one line");
_Static_assert(PH_REGIONS_AT + PH_MAX_REGIONS * sizeof(ph_region) <= PH_SLOTS_AT, "table fits");

static inline uint64_t ph_round_up(uint64_t n, uint64_t unit) {
    return (n + unit - 1) / unit * unit;
}

#endif
