/* Requests that the application answers directly (ph_direct.h): no environ, no greenlet, no
 * Python object. Included by pihub_conn.h.
 *
 * Only what is plain is taken: one whole POST of HTTP/1.1 in one buffer, a plain path, one
 * Host, one Content-Length. Whatever is odd, faulty or merely rare is left to the parser, which
 * gets the same bytes and decides; so there is one judge of what is wrong. A body that has not
 * all come (many clients send it after the head) is held until it has.
 *
 * RAM: a held request is at most PIHUB_READ_SIZE; so is what a slow reader leaves unsent. */

#include "ph_direct.h"
#include "pihub_grammar.h"

enum { DIRECT_NO = 0, DIRECT_DONE, DIRECT_HELD };

static const ph_direct *direct = NULL;

/* The application's offer, if it makes one. 0, or -1 with an exception. */
static int direct_take(PyObject *app) {
  PyObject *capsule = PyObject_GetAttrString(app, "direct");
  direct = NULL;
  if (capsule == NULL) {
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
      return -1;
    }
    PyErr_Clear();
    return 0;
  }
  /* It lies in the application, which `wsgi_app` keeps. */
  direct = PyCapsule_GetPointer(capsule, PH_DIRECT);
  Py_DECREF(capsule);
  return direct == NULL ? -1 : 0;
}

/* Where printable ASCII ends. Eight at once: the lowest marked byte is exact, the others
 * may be marked by its carry. */
static const char *printable_end(const char *p, const char *end) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  for (; end - p >= 8; p += 8) {
    uint64_t v, marks;
    memcpy(&v, p, sizeof(v));
    marks = ((v - UINT64_C(0x2020202020202020)) | (v + UINT64_C(0x0101010101010101)) | v) &
            UINT64_C(0x8080808080808080);
    if (marks) {
      return p + (__builtin_ctzll(marks) >> 3);
    }
  }
#endif
  while (p < end && *p >= 0x20 && *p < 0x7f) {
    p++;
  }
  return p;
}

static int text_is(ph_direct_text text, const char *wanted, size_t len) {
  return text.len == len && !strncasecmp(text.at, wanted, len);
}

#define TEXT_IS(text, literal) text_is(text, literal, sizeof(literal) - 1)

/* The fields that frame the message. 1: another's; 0: taken; -1: not plain. */
static int direct_framing(ph_direct_field field, int *hosts, int64_t *length) {
  switch (field.name.len) {
    case 2: /* te */
      return TEXT_IS(field.name, "te") ? -1 : 1;
    case 4:
      if (!TEXT_IS(field.name, "host")) return 1;
      return (*hosts)++ || !is_host(field.value.at, field.value.len) ? -1 : 0;
    case 5:
      return TEXT_IS(field.name, "proxy") ? -1 : 1;
    case 6:
      return TEXT_IS(field.name, "expect") ? -1 : 1;
    case 7:
      return TEXT_IS(field.name, "upgrade") || TEXT_IS(field.name, "trailer") ? -1 : 1;
    case 10:
      if (!TEXT_IS(field.name, "connection")) return 1;
      return TEXT_IS(field.value, "keep-alive") ? 0 : -1;
    case 14:
      if (!TEXT_IS(field.name, "content-length")) return 1;
      if (*length >= 0 || field.value.len == 0 || field.value.len > 9) return -1;
      *length = 0;
      for (size_t i = 0; i < field.value.len; i++) {
        if (field.value.at[i] < '0' || field.value.at[i] > '9') return -1;
        *length = *length * 10 + (field.value.at[i] - '0');
      }
      return 0;
    case 16:
      return TEXT_IS(field.name, "proxy-connection") ? -1 : 1;
    case 17:
      return TEXT_IS(field.name, "transfer-encoding") ? -1 : 1;
    default:
      return 1;
  }
}

/* The bytes of the whole request; 0 if it is not plain, or its head has not all come. */
static size_t direct_parse(const char *data, size_t len, ph_direct_ask *ask) {
  const char *p = data + 5, *end = data + len;
  int hosts = 0;
  int64_t length = -1;
  size_t fields_size = 0;

  if (len < 16 || memcmp(data, "POST /", 6) != 0) {
    return 0;
  }
  ask->path.at = p;
  while (p < end && (isalnum((unsigned char)*p) || *p == '/' || *p == '_' || *p == '-' ||
                     *p == '.')) {
    p++;
  }
  ask->path.len = (size_t)(p - ask->path.at);
  if (ask->path.len >= LIMIT_PATH || end - p < 11 || memcmp(p, " HTTP/1.1\r\n", 11) != 0) {
    return 0;
  }
  p += 11;
  ask->n_fields = 0;
  for (;;) {
    ph_direct_field field;
    if (end - p < 2) {
      return 0;
    }
    if (*p == '\r') {
      break;
    }
    field.name.at = p;
    while (p < end && is_token_char(*p) && *p != '_') {
      p++;
    }
    field.name.len = (size_t)(p - field.name.at);
    if (field.name.len == 0 || field.name.len > 64 || p == end || *p++ != ':') {
      return 0;
    }
    while (p < end && *p == ' ') {
      p++;
    }
    field.value.at = p;
    p = printable_end(p, end);
    if (end - p < 2 || p[0] != '\r' || p[1] != '\n') {
      return 0;
    }
    field.value.len = (size_t)(p - field.value.at);
    while (field.value.len > 0 && field.value.at[field.value.len - 1] == ' ') {
      field.value.len--;
    }
    p += 2;
    fields_size += field.name.len + field.value.len + 4; /* as the parser counts */
    if (fields_size > pihub_head_most) {
      return 0;
    }
    switch (direct_framing(field, &hosts, &length)) {
      case 0:
        break;
      case 1:
        if (ask->n_fields == PH_DIRECT_FIELDS || field.value.len >= LIMIT_REQUEST_FIELD_SIZE) {
          return 0;
        }
        ask->field[ask->n_fields++] = field;
        break;
      default:
        return 0;
    }
  }
  if (p[1] != '\n' || hosts != 1 || length < 0 || (uint64_t)length > max_content_length) {
    return 0;
  }
  ask->body.at = p + 2;
  ask->body.len = (size_t)length;
  return (size_t)(p + 2 - data) + (size_t)length;
}

static void held_free(client_t *client) {
  PyMem_Free(client->held);
  client->held = NULL;
}

/* Send what is left of an answer whose reader was slow. */
static void direct_flush(client_t *client) {
  ssize_t sent = send(client->fd, client->held + client->held_done,
                      client->held_len - client->held_done, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    conn_destroy(client);
    return;
  }
  client->held_done += sent > 0 ? (size_t)sent : 0;
  if (client->held_done < client->held_len) {
    if (sent > 0) {
      picoev_set_timeout(main_loop, client->fd, patience.write);
    }
    return;
  }
  unwatch(client->fd);
  held_free(client);
  client->state = PIHUB_IDLE;
  conn_await(client);
}

/* Keep what the socket did not take, and wait until it does. */
static void direct_keep(client_t *client, const struct iovec *iov, size_t sent) {
  size_t total = iov[0].iov_len + iov[1].iov_len, at = 0;
  client->held = PyMem_Malloc(total - sent);
  if (client->held == NULL) {
    conn_destroy(client);
    return;
  }
  for (int i = 0; i < 2; i++) {
    size_t skip = sent < iov[i].iov_len ? sent : iov[i].iov_len;
    memcpy(client->held + at, (const char *)iov[i].iov_base + skip, iov[i].iov_len - skip);
    at += iov[i].iov_len - skip;
    sent -= skip;
  }
  client->held_len = at;
  client->held_done = 0;
  client->state = PIHUB_FLUSH;
  unwatch(client->fd);
  if (watch(client->fd, PICOEV_WRITE | PICOEV_OWNED, patience.write, conn_callback, client) < 0) {
    conn_destroy(client);
  }
}

static int direct_send(client_t *client, const ph_direct_answer *answer) {
  char head[160 + PIHUB_FIXED_SIZE];
  struct iovec iov[2];
  ssize_t sent;
  size_t len = 0;
#define HEAD_TEXT(text, size) (memcpy(head + len, text, size), len += (size))
  HEAD_TEXT("HTTP/1.1 ", 9);
  HEAD_TEXT(answer->line.at, answer->line.len);
  HEAD_TEXT("\r\nServer: " SERVER "\r\nDate: ", sizeof("\r\nServer: " SERVER "\r\nDate: ") - 1);
  HEAD_TEXT((const char *)http_time, 29);
  HEAD_TEXT("\r\n", 2);
  HEAD_TEXT(pihub_fixed, pihub_fixed_len);
#undef HEAD_TEXT
  iov[0] = (struct iovec){head, len};
  iov[1] = (struct iovec){(char *)answer->rest.at, answer->rest.len};
  do {
    sent = writev(client->fd, iov, 2);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
    conn_destroy(client);
  } else if (sent < 0 || (size_t)sent < len + answer->rest.len) {
    direct_keep(client, iov, sent < 0 ? 0 : (size_t)sent);
  } else {
    conn_await(client);
  }
  return DIRECT_DONE;
}

/* The first bytes of a request. DONE: answered, or the connection is gone. HELD: the rest of
 * the body is waited for. `data` may lie in `pending`. */
static int direct_try(client_t *client, const char *data, size_t len) {
  ph_direct_ask ask;
  ph_direct_answer answer;
  size_t total;
  if (direct == NULL || draining || !is_keep_alive) {
    return DIRECT_NO;
  }
  total = direct_parse(data, len, &ask);
  if (total == 0 || total > PIHUB_READ_SIZE || total < len) {
    return DIRECT_NO;
  }
  if (total > len) {
    client->held = PyMem_Malloc(total);
    if (client->held == NULL) {
      return DIRECT_NO;
    }
    memcpy(client->held, data, len);
    client->held_len = total;
    client->held_done = len;
    client->state = PIHUB_BODY;
    client->head_since = client->body_since = pihub_now();
    conn_keep(client, NULL, 0);
    conn_await(client);
    return DIRECT_HELD;
  }
  if (!direct->answer(direct->self, &ask, &answer) || answer.line.len > 64) {
    return DIRECT_NO;
  }
  client->state = PIHUB_IDLE;
  conn_keep(client, NULL, 0);
  return direct_send(client, &answer);
}

/* More of a held request, and no byte of what comes behind it. */
static void direct_more(client_t *client) {
  size_t total = client->held_len;
  char *held = client->held;
  ssize_t got = recv(client->fd, held + client->held_done, total - client->held_done,
                     MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    conn_await(client);
    return;
  }
  if (got <= 0) {
    conn_destroy(client);
    return;
  }
  client->held_done += (size_t)got;
  if (client->held_done < total) {
    if (conn_patience(client) > 0) {
      conn_await(client);
    } else {
      conn_refuse(client, 408);
    }
    return;
  }
  client->held = NULL;
  client->state = PIHUB_IDLE;
  conn_parse(client, held, total);
  PyMem_Free(held);
}
