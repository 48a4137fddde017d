/* Building the head of a response (RFC 9112, 4 and 5). Included by response.c. */

#include "pihub_grammar.h"

char pihub_fixed[PIHUB_FIXED_SIZE] = "";
size_t pihub_fixed_len = 0;

typedef struct {
  char *text;
  size_t len, size;
  char room[1024]; /* enough for most heads */
} head_buffer;

static void head_init(head_buffer *head) {
  head->text = head->room;
  head->len = 0;
  head->size = sizeof(head->room);
}

static void head_free(head_buffer *head) {
  if (head->text != head->room) {
    PyMem_Free(head->text);
  }
}

static int head_add(head_buffer *head, const char *text, size_t len) {
  if (head->len + len > head->size) {
    size_t size = head->size * 2;
    char *grown;
    while (size < head->len + len) {
      size *= 2;
    }
    grown = PyMem_Malloc(size);
    if (grown == NULL) {
      PyErr_NoMemory();
      return -1;
    }
    memcpy(grown, head->text, head->len);
    head_free(head);
    head->text = grown;
    head->size = size;
  }
  memcpy(head->text + head->len, text, len);
  head->len += len;
  return 0;
}

#define HEAD_LITERAL(head, text) head_add(head, text, sizeof(text) - 1)

/* The Latin-1 bytes of a str without copying; NULL with ValueError or TypeError set. */
static const char *latin1_of(PyObject *text, const char *what, Py_ssize_t *len) {
  if (!PyUnicode_Check(text)) {
    PyErr_Format(PyExc_TypeError, "%s must be str, not %.100s", what, Py_TYPE(text)->tp_name);
    return NULL;
  }
#if PY_VERSION_HEX < 0x030C0000
  if (PyUnicode_READY(text) < 0) {
    return NULL;
  }
#endif
  if (PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND) {
    PyErr_Format(PyExc_ValueError, "%s must be Latin-1", what);
    return NULL;
  }
  *len = PyUnicode_GET_LENGTH(text);
  return (const char *)PyUnicode_1BYTE_DATA(text);
}

/* No control characters but TAB: neither CR nor LF may split the head. */
static int is_clean(const char *text, Py_ssize_t len) {
  unsigned bad = 0;
  for (Py_ssize_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    bad |= (unsigned)(c < 0x20 && c != '\t') | (unsigned)(c == 0x7f);
  }
  return !bad;
}

static int is_name(const char *text, Py_ssize_t len) {
  unsigned good = 1;
  for (Py_ssize_t i = 0; i < len; i++) {
    good &= is_token_char(text[i]);
  }
  return good && len > 0;
}

static int name_is(const char *name, Py_ssize_t len, const char *wanted) {
  return (size_t)len == strlen(wanted) && !strncasecmp(name, wanted, (size_t)len);
}

/* Whether the server itself sends this field with every answer. */
static int is_fixed(const char *name, Py_ssize_t len) {
  const char *line = pihub_fixed, *end = pihub_fixed + pihub_fixed_len;
  while (line < end) {
    const char *next = memchr(line, '\n', (size_t)(end - line));
    if (end - line > len && line[len] == ':' && !strncasecmp(line, name, (size_t)len)) {
      return 1;
    }
    line = next == NULL ? end : next + 1;
  }
  return 0;
}

static int take_content_length(client_t *client, const char *value, Py_ssize_t len) {
  uint64_t length = 0;
  int valid = len > 0 && len <= 18;
  for (Py_ssize_t i = 0; valid && i < len; i++) {
    valid = value[i] >= '0' && value[i] <= '9';
    length = length * 10 + (uint64_t)(value[i] - '0');
  }
  if (!valid || (client->content_length_set && client->content_length != length)) {
    PyErr_SetString(PyExc_ValueError, "invalid Content-Length in the response");
    return -1;
  }
  client->content_length_set = 1;
  client->content_length = length;
  return 0;
}

/* One header of the application. The server frames the message and owns the
 * connection, so the application's hop-by-hop headers are dropped; its
 * `Connection: close` is obeyed. */
static int head_header(head_buffer *head, client_t *client, PyObject *pair) {
  Py_ssize_t name_len, value_len;
  const char *name, *value;
  if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
    PyErr_SetString(PyExc_TypeError, "response headers must be (name, value) tuples");
    return -1;
  }
  name = latin1_of(PyTuple_GET_ITEM(pair, 0), "a header name", &name_len);
  if (name == NULL) {
    return -1;
  }
  value = latin1_of(PyTuple_GET_ITEM(pair, 1), "a header value", &value_len);
  if (value == NULL) {
    return -1;
  }
  if (!is_name(name, name_len) || !is_clean(value, value_len)) {
    PyErr_SetString(PyExc_ValueError, "invalid character in a response header");
    return -1;
  }
  switch (name_len) {
    case 4:
      if (name_is(name, name_len, "Date")) return 0;
      break;
    case 6:
      if (name_is(name, name_len, "Server")) return 0;
      break;
    case 7:
      if (name_is(name, name_len, "Upgrade")) return 0;
      break;
    case 10:
      if (name_is(name, name_len, "Connection")) {
        if (name_is(value, value_len, "close")) {
          client->keep_alive = 0;
        }
        return 0;
      }
      if (name_is(name, name_len, "Keep-Alive")) return 0;
      break;
    case 14:
      if (name_is(name, name_len, "Content-Length")) {
        int again = client->content_length_set;
        if (take_content_length(client, value, value_len) < 0) return -1;
        if (again || client->status_code == 204) return 0;
      }
      break;
    case 17:
      if (name_is(name, name_len, "Transfer-Encoding")) return 0;
      break;
    case 16: /* X-Security-Level */
    case 22: /* X-Content-Type-Options */
    case 25: /* Strict-Transport-Security */
      if (is_fixed(name, name_len)) return 0;
      break;
  }
  if (head_add(head, name, (size_t)name_len) < 0 || HEAD_LITERAL(head, ": ") < 0 ||
      head_add(head, value, (size_t)value_len) < 0 || HEAD_LITERAL(head, "\r\n") < 0) {
    return -1;
  }
  return 0;
}

/* RFC 9112, 6.3: answers without a body. */
static int has_no_body(client_t *client) {
  return client->current_req->method == HTTP_HEAD || client->status_code == 204 ||
         client->status_code == 304;
}

/* The whole head. `known` is the body's length where the application's iterable tells
 * it, else -1. Decides the framing. */
static int build_head(head_buffer *head, client_t *client, int64_t known) {
  int http11 = client->http_parser->http_minor >= 1;
  Py_ssize_t count;

  if (client->headers == NULL) {
    PyErr_SetString(PyExc_RuntimeError, "the application did not call start_response");
    return -1;
  }
  if (pihub_draining()) {
    client->keep_alive = 0;
  }
  client->content_length_set = 0;
  if ((http11 ? HEAD_LITERAL(head, "HTTP/1.1 ") : HEAD_LITERAL(head, "HTTP/1.0 ")) < 0 ||
      head_add(head, PyBytes_AS_STRING(client->http_status),
               (size_t)PyBytes_GET_SIZE(client->http_status)) < 0 ||
      HEAD_LITERAL(head, "\r\nServer: " SERVER "\r\nDate: ") < 0 ||
      head_add(head, (const char *)http_time, 29) < 0 || HEAD_LITERAL(head, "\r\n") < 0 ||
      head_add(head, pihub_fixed, pihub_fixed_len) < 0) {
    return -1;
  }
  count = PyList_GET_SIZE(client->headers);
  for (Py_ssize_t i = 0; i < count; i++) {
    if (head_header(head, client, PyList_GET_ITEM(client->headers, i)) < 0) {
      return -1;
    }
  }
  if (!client->content_length_set && known >= 0 && client->status_code != 204 &&
      client->status_code != 304 && (known > 0 || !has_no_body(client))) {
    char line[48];
    int len = snprintf(line, sizeof(line), "Content-Length: %" PRId64 "\r\n", known);
    client->content_length_set = 1;
    client->content_length = (uint64_t)known;
    if (head_add(head, line, (size_t)len) < 0) {
      return -1;
    }
  }
  if (!client->content_length_set && !has_no_body(client)) {
    if (http11) {
      client->chunked_response = 1;
      if (HEAD_LITERAL(head, "Transfer-Encoding: chunked\r\n") < 0) {
        return -1;
      }
    } else {
      client->keep_alive = 0; /* the end of the connection ends the body */
      client->until_close = 1;
    }
  }
  if (!client->keep_alive) {
    return HEAD_LITERAL(head, "Connection: close\r\n\r\n");
  }
  return http11 ? HEAD_LITERAL(head, "\r\n") : HEAD_LITERAL(head, "Connection: keep-alive\r\n\r\n");
}
