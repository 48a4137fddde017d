/* One connection's life: accept, read a request, run it, keep alive or close. Included by
 * server.c. A connection handles one request at a time; pipelined bytes wait in
 * `pending` (at most PIHUB_READ_SIZE) and are answered in order (RFC 9112, 9.3.2). */

static client_t *clients = NULL; /* all open connections */
static client_t *ready = NULL;   /* finished a request and have pending bytes */
static int nclients = 0;
static int draining = 0;

int pihub_draining(void) { return draining; }

static void conn_callback(picoev_loop *loop, int fd, int events, void *arg);
static void conn_parse(client_t *client, const char *data, size_t len);
static void conn_destroy(client_t *client);
static void conn_refuse(client_t *client, int status);
static void conn_await(client_t *client);
static int conn_patience(client_t *client);
static int conn_keep(client_t *client, const char *data, size_t len);

static void name_peer(client_t *client, const struct sockaddr_storage *addr) {
  if (addr->ss_family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)addr;
    inet_ntop(AF_INET, &v4->sin_addr, client->remote_addr, sizeof(client->remote_addr));
    client->remote_port = ntohs(v4->sin_port);
  } else if (addr->ss_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
      inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, client->remote_addr,
                sizeof(client->remote_addr));
    } else {
      inet_ntop(AF_INET6, &v6->sin6_addr, client->remote_addr, sizeof(client->remote_addr));
    }
    client->remote_port = ntohs(v6->sin6_port);
  }
}

#include "pihub_direct.h"

static client_t *conn_new(int fd, const struct sockaddr_storage *addr) {
  client_t *client = alloc_client_t();
  if (client == NULL) {
    return NULL;
  }
  client->fd = fd;
  name_peer(client, addr);
  if (!source_enter(client->remote_addr)) {
    dealloc_client(client);
    return NULL;
  }
  if (init_parser(client, server_name, (short)server_port) < 0) {
    source_leave(client->remote_addr);
    dealloc_client(client);
    return NULL;
  }
  client->state = PIHUB_IDLE;
  client->next = clients;
  if (clients != NULL) {
    clients->prev = client;
  }
  clients = client;
  nclients++;
  return client;
}

static void conn_free_request(client_t *client) {
  request *req = client->current_req;
  client->current_req = NULL;
  Py_CLEAR(client->headers);
  Py_CLEAR(client->http_status);
  if (req != NULL) {
    if (req->client_object != NULL) {
      /* The application may keep the object: its connection is no longer the request's. */
      ((ClientObject *)req->client_object)->client = NULL;
    }
    free_request(req);
  }
}

static void conn_destroy(client_t *client) {
  client_t **link;
  for (link = &ready; *link != NULL; link = &(*link)->next_ready) {
    if (*link == client) {
      *link = client->next_ready;
      break;
    }
  }
  evict_waiter(client->fd);
  unwatch(client->fd);
  conn_free_request(client);
  picoev_closed(main_loop, client->fd);
  close(client->fd);
  Py_CLEAR(client->addr);
  Py_CLEAR(client->port);
  PyMem_Free(client->pending);
  held_free(client);
  dealloc_parser(client->http_parser);
  if (client->prev != NULL) {
    client->prev->next = client->next;
  } else {
    clients = client->next;
  }
  if (client->next != NULL) {
    client->next->prev = client->prev;
  }
  nclients--;
  source_leave(client->remote_addr);
  dealloc_client(client);
}

/* In how many seconds the connection must have got further; 0: it should have by now. */
static int conn_patience(client_t *client) {
  int64_t left;
  switch (client->state) {
    case PIHUB_IDLE:
      return draining ? PIHUB_DRAIN_IDLE_SECS : keep_alive_timeout;
    case PIHUB_LINGER:
      return PIHUB_LINGER_IDLE_SECS;
    case PIHUB_HEAD:
      left = client->head_since + patience.head - pihub_now();
      break;
    default:
      left = client->body_since + patience.body - pihub_now();
      if (client->current_req != NULL) {
        left += client->current_req->body_readed / PIHUB_BODY_RATE;
      } else {
        left += (int64_t)client->held_done / PIHUB_BODY_RATE;
      }
  }
  return left < 1 ? (left < 0 ? 0 : 1) : (int)(left > 120 ? 120 : left);
}

static void conn_await(client_t *client) {
  int secs = conn_patience(client);
  if (secs < 1) {
    secs = 1;
  }
  if (picoev_is_active(main_loop, client->fd)) {
    picoev_set_timeout(main_loop, client->fd, secs);
  } else if (watch(client->fd, PICOEV_READ | PICOEV_OWNED, secs, conn_callback, client) < 0) {
    conn_destroy(client);
  }
}

/* Close so that what was sent arrives: first the end of our side, then what the client
 * still sends is read and dropped for a while. */
static void conn_linger(client_t *client) {
  conn_free_request(client);
  held_free(client);
  client->state = PIHUB_LINGER;
  client->lingered = 0;
  client->head_since = pihub_now();
  if (shutdown(client->fd, SHUT_WR) < 0) {
    conn_destroy(client);
    return;
  }
  conn_await(client);
}

static void conn_refuse(client_t *client, int status) {
  send_error_page(client, status);
  conn_linger(client);
}

static void conn_drop_input(client_t *client) {
  static char waste[PIHUB_READ_SIZE];
  ssize_t got = recv(client->fd, waste, sizeof(waste), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  client->lingered += got > 0 ? (uint32_t)got : 0;
  if (got <= 0 || client->lingered > PIHUB_LINGER_BYTES ||
      pihub_now() - client->head_since >= PIHUB_LINGER_SECS) {
    conn_destroy(client);
    return;
  }
  conn_await(client);
}

static void conn_read(client_t *client) {
  /* One for the process: only the hub reads, and the parser copies what it keeps. */
  static char buffer[PIHUB_READ_SIZE];
  ssize_t got;
  /* Never waits, so the lock is kept: giving it up and back costs more than the copy. */
  got = recv(client->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    conn_await(client);
  } else if (got <= 0) {
    conn_destroy(client); /* gone, perhaps in the middle of its request */
  } else {
    conn_parse(client, buffer, (size_t)got);
  }
}

static void conn_callback(picoev_loop *loop, int fd, int events, void *arg) {
  client_t *client = (client_t *)arg;
  if (events & PICOEV_TIMEOUT) {
    if (client->state == PIHUB_IDLE || client->state == PIHUB_LINGER ||
        client->state == PIHUB_FLUSH) {
      conn_destroy(client);
    } else if (conn_patience(client) > 0) {
      conn_await(client);
    } else {
      conn_refuse(client, 408);
    }
  } else if (client->state == PIHUB_LINGER) {
    conn_drop_input(client);
  } else if (client->state == PIHUB_FLUSH) {
    direct_flush(client);
  } else if (client->held != NULL) {
    direct_more(client);
  } else {
    conn_read(client);
  }
}

#include "pihub_request.h"

/* Keep the bytes after the request for later. 0 or -1. `data` may lie in `pending`. */
static int conn_keep(client_t *client, const char *data, size_t len) {
  char *kept = NULL;
  if (len > 0) {
    kept = PyMem_Malloc(len);
    if (kept == NULL) {
      return -1;
    }
    memcpy(kept, data, len);
  }
  PyMem_Free(client->pending);
  client->pending = kept;
  client->pending_len = len;
  return 0;
}

static void conn_parse(client_t *client, const char *data, size_t len) {
  size_t used;
  if (client->state == PIHUB_IDLE) {
    if (direct_try(client, data, len) != DIRECT_NO) {
      return;
    }
    client->state = PIHUB_HEAD;
    client->head_since = pihub_now();
  }
  used = execute_parse(client, data, len);
  if (client->complete) {
    if (conn_keep(client, data + used, len - used) < 0) {
      conn_destroy(client);
      return;
    }
    conn_run(client);
    return;
  }
  if (used == len && HTTP_PARSER_ERRNO(client->http_parser) == HPE_OK) {
    conn_keep(client, NULL, 0);
    if (conn_patience(client) > 0) {
      conn_await(client);
    } else {
      conn_refuse(client, 408); /* bytes that dribble in buy no time */
    }
    return;
  }
  {
    request *req = client->current_req;
    int status = req != NULL ? req->bad_request_code : 0;
    if (status == 0) {
      status = HTTP_PARSER_ERRNO(client->http_parser) == HPE_HEADER_OVERFLOW ? 431 : 400;
    }
    conn_refuse(client, status);
  }
}

/* Requests that came pipelined: one for each connection and turn, so that none starves
 * the others. */
static void run_ready(void) {
  client_t *client = ready;
  ready = NULL;
  while (client != NULL) {
    client_t *next = client->next_ready;
    client->next_ready = NULL;
    conn_parse(client, client->pending, client->pending_len);
    client = next;
  }
}
