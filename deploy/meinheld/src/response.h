/* Sending a WSGI response. Everything here runs in the request's own greenlet, so it is
 * written straight down: a full socket buffer switches to the hub and comes back. */
#ifndef RESPONSE_H
#define RESPONSE_H

#include "client.h"
#include "meinheld.h"
#include "time_cache.h"

/* start_response of one request; `cli` is NULL once that request is over. */
typedef struct {
  PyObject_HEAD client_t *cli;
} ResponseObject;

extern PyTypeObject ResponseObjectType;

/* A new start_response for `client`'s current request (new reference). */
PyObject *create_start_response(client_t *client);

/* Send the application's iterable. PIHUB_SENT, PIHUB_FAILED (exception set) or
 * PIHUB_GONE (the client left or stalled; no exception). */
int send_response(client_t *client, PyObject *response);

/* Send part of a body, the head first if it was not sent yet. */
int send_piece(client_t *client, const char *data, size_t len);

/* Call response.close(), if it has one. 0, or -1 with an exception set. */
int close_response(PyObject *response);

/* A short answer of the server itself; never waits, the connection must be closed. */
void send_error_page(client_t *client, int status);

#endif
