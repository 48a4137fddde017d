/* What the port's own files share. Times are CLOCK_MONOTONIC seconds. */
#ifndef PIHUB_PORT_H
#define PIHUB_PORT_H

#include "client.h"
#include "meinheld.h"

/* How long slow clients are waited for, in seconds (set_patience). */
typedef struct {
  int head;  /* a request head must be complete so long after its first byte */
  int body;  /* a body may take this plus a second for each PIHUB_BODY_RATE bytes */
  int write; /* a response whose reader takes nothing for so long is cut */
} pihub_patience;

extern pihub_patience patience;

/* Bytes that all fields of a request's head may have together (set_limits). */
extern uint32_t pihub_head_most;

/* The pace that a body must keep, in bytes a second. */
#define PIHUB_BODY_RATE 1024
/* Idle keep-alive connections are closed after this while draining. */
#define PIHUB_DRAIN_IDLE_SECS 1
/* After an error page: read and drop what the client still sends, so that the reset
 * that close() would cause does not destroy the page (RFC 9112, 9.6). */
#define PIHUB_LINGER_SECS 5
#define PIHUB_LINGER_IDLE_SECS 2
#define PIHUB_LINGER_BYTES (64u << 20)
/* One read; also the bound of pipelined bytes kept for a connection. */
#define PIHUB_READ_SIZE (64 * 1024)

/* Lines that every answer has, each with its CRLF (set_headers); the application's own of the
 * same names are dropped. */
#define PIHUB_FIXED_SIZE 384
extern char pihub_fixed[PIHUB_FIXED_SIZE];
extern size_t pihub_fixed_len;

/* JSON for bodies that are too large, below one prefix of paths (set_too_large). */
#define PIHUB_LARGE_SIZE 1024
extern char pihub_large_prefix[64], pihub_large_page[PIHUB_LARGE_SIZE];

/* client_t.state */
enum { PIHUB_IDLE = 0, PIHUB_HEAD, PIHUB_BODY, PIHUB_BUSY, PIHUB_LINGER, PIHUB_FLUSH };

/* What became of a response. */
enum { PIHUB_SENT = 0, PIHUB_FAILED = -1, PIHUB_GONE = -2 };

/* Wait, in the request's greenlet, until the client takes more bytes.
 * 0, or -1 with an exception set. */
int pihub_wait_writable(client_t *client);

/* 1 once drain() was called: every answer then says `Connection: close`. */
int pihub_draining(void);

static inline int64_t pihub_now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec;
}

#endif
