/* A direct answer: what the server asks the application before it makes an environ.
 *
 * Two builds share this header, the core's and the server's (deploy/meinheld): the capsule's
 * name is its version. The server has parsed a complete request strictly; the application
 * answers it from memory at once, or says no and gets the same request the long way, as a
 * WSGI call. Called with the interpreter's lock, in the loop, outside of any greenlet: it
 * neither waits nor raises, and a no leaves nothing behind.
 */
#ifndef PH_DIRECT_H
#define PH_DIRECT_H

#include <stddef.h>

#define PH_DIRECT "pihub.direct.1"
#define PH_DIRECT_FIELDS 32 /* a head with more goes the long way */

typedef struct ph_direct_text {
    const char *at;
    size_t len;
} ph_direct_text;

typedef struct ph_direct_field {
    ph_direct_text name, value; /* a token of RFC 9110 without `_`; printable ASCII, trimmed */
} ph_direct_field;

/* A POST of HTTP/1.1 whose connection stays open. All of it lies in the server's buffer. */
typedef struct ph_direct_ask {
    ph_direct_text path; /* as sent: letters, digits, "/", "-", "." and "_" */
    ph_direct_text body;
    size_t n_fields; /* without those that frame the message, and Host */
    ph_direct_field field[PH_DIRECT_FIELDS];
} ph_direct_ask;

typedef struct ph_direct_answer {
    ph_direct_text line; /* "200 OK" */
    ph_direct_text rest; /* whole fields, the empty line, the body; good until the next ask */
} ph_direct_answer;

typedef struct ph_direct {
    void *self;
    int (*answer)(void *self, const ph_direct_ask *ask, ph_direct_answer *answer); /* 1 or 0 */
} ph_direct;

#endif
