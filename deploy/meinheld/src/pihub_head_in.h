/* Reading a request's head strictly (RFC 9112; RFC 9110, 5). Included by
 * http_request_parser.c in place of its own callbacks. Whatever two parsers could
 * understand differently is refused: that is how requests are smuggled. */

#include "pihub_grammar.h"

#define PIHUB_MAX_FIELDS 128 /* RAM: a field is at most 8 KiB, a head 80 KiB in all */

uint32_t pihub_head_most = 80 * 1024; /* bytes of all fields (set_limits) */

static int refuse(request *req, int status) {
  if (req->bad_request_code == 0) {
    req->bad_request_code = status;
  }
  return -1;
}

static client_t *get_client(http_parser *p) { return (client_t *)p->data; }

static request *get_current_request(http_parser *p) { return get_client(p)->current_req; }

static int message_begin_cb(http_parser *p) {
  client_t *client = get_client(p);
  request *req = new_request();
  if (req == NULL) {
    return -1;
  }
  req->start_msec = current_msec;
  req->environ = new_environ(client);
  client->current_req = req;
  client->complete = 0;
  return req->environ == NULL ? refuse(req, 500) : 0;
}

static int field_is(const request *req, const char *name) {
  return req->name_len == strlen(name) && !strncasecmp(req->name, name, req->name_len);
}

static int is_decimal(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9') {
      return 0;
    }
  }
  return len > 0 && len <= 18;
}

/* Whether the comma-separated `list` has `token`. */
static int has_token(const char *list, size_t len, const char *token) {
  size_t size = strlen(token), i = 0;
  while (i < len) {
    size_t end, last;
    while (i < len && (list[i] == ' ' || list[i] == '\t' || list[i] == ',')) i++;
    for (end = i; end < len && list[end] != ','; end++) {
    }
    for (last = end; last > i && (list[last - 1] == ' ' || list[last - 1] == '\t'); last--) {
    }
    if (last - i == size && !strncasecmp(list + i, token, size)) {
      return 1;
    }
    i = end;
  }
  return 0;
}

/* The fields that frame the message or name its target. 0, 1 (drop it) or -1. */
static int special_field(http_parser *p, request *req, const char *value, size_t len) {
  if (field_is(req, "host")) {
    return req->hosts++ || !is_host(value, len) ? refuse(req, 400) : 0;
  }
  if (field_is(req, "content-length")) {
    return req->lengths++ || !is_decimal(value, len) ? refuse(req, 400) : 0;
  }
  if (field_is(req, "transfer-encoding")) {
    /* RFC 9112, 6.1: an unknown coding is 501; chunked must come once, and last. */
    if (len == 0) {
      return refuse(req, 400);
    }
    if (req->codings++ || len != 7 || strncasecmp(value, "chunked", 7)) {
      return refuse(req, 501);
    }
    return 1; /* the application reads the decoded body */
  }
  if (field_is(req, "connection")) {
    req->wants_close |= has_token(value, len, "close");
    req->wants_keep |= has_token(value, len, "keep-alive");
  } else if (field_is(req, "expect")) {
    if (len == 12 && !strncasecmp(value, "100-continue", 12)) {
      req->wants_continue = 1;
    } else {
      return refuse(req, 417);
    }
  }
  /* As HTTP_PROXY it would pass for an environment variable. */
  return field_is(req, "proxy");
}

/* Put the finished field into the environ. */
static int add_header(http_parser *p, request *req) {
  const char *value = req->value->buf;
  size_t len = req->value->len;
  PyObject *key, *text, *present;
  int status;

  while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
    len--;
  }
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)value[i];
    if ((c < 0x20 && c != '\t') || c == 0x7f) {
      return refuse(req, 400);
    }
  }
  req->fields_size += (uint32_t)(req->name_len + len + 4); /* ": " and the line's end */
  if (++req->num_headers > PIHUB_MAX_FIELDS || req->fields_size > pihub_head_most) {
    return refuse(req, 431);
  }
  status = special_field(p, req, value, len);
  /* `X_Real_Ip` would be read as `X-Real-Ip`: dropped, as nginx does. */
  if (status == 0 && memchr(req->name, '_', req->name_len) != NULL) {
    status = 1;
  }
  if (status != 0) {
    req->name_len = 0;
    req->value->len = 0;
    return status < 0 ? -1 : 0;
  }
  key = field_key(req->name, req->name_len);
  text = PyUnicode_DecodeLatin1(value, (Py_ssize_t)len, NULL);
  if (key == NULL || text == NULL) {
    goto done;
  }
  present = PyDict_SetDefault(req->environ, key, text);
  if (present == NULL) {
    goto done;
  }
  if (present != text) {
    const char *separator = field_is(req, "cookie") ? "; " : ", ";
    Py_SETREF(text, PyUnicode_FromFormat("%U%s%U", present, separator, text));
    if (text == NULL || PyDict_SetItem(req->environ, key, text) < 0) {
      goto done;
    }
  }
  status = 1;
done:
  Py_XDECREF(key);
  Py_XDECREF(text);
  req->name_len = 0;
  req->value->len = 0;
  if (status != 1) {
    PyErr_Clear();
    return refuse(req, 500);
  }
  return 0;
}

static int header_field_cb(http_parser *p, const char *buf, size_t len) {
  request *req = get_current_request(p);
  if (req->head_done) {
    return 0; /* a trailer field: RFC 9110, 6.5.1 lets a server drop it */
  }
  if (req->last_header_element == VALUE && add_header(p, req) < 0) {
    return -1;
  }
  if (req->name_len + len > sizeof(req->name)) {
    return refuse(req, 431);
  }
  memcpy(req->name + req->name_len, buf, len);
  req->name_len += len;
  req->last_header_element = FIELD;
  return 0;
}

static int append(request *req, buffer_t **buffer, size_t limit, const char *buf, size_t len,
                  int too_long) {
  if (*buffer == NULL && (*buffer = new_buffer(256, limit)) == NULL) {
    return refuse(req, 500);
  }
  switch (write2buf(*buffer, buf, len)) {
    case WRITE_OK:
      return 0;
    case LIMIT_OVER:
      return refuse(req, too_long);
    default:
      PyErr_Clear();
      return refuse(req, 500);
  }
}

static int header_value_cb(http_parser *p, const char *buf, size_t len) {
  request *req = get_current_request(p);
  if (req->head_done) {
    return 0;
  }
  req->last_header_element = VALUE;
  return append(req, &req->value, LIMIT_REQUEST_FIELD_SIZE, buf, len, 431);
}

static int url_cb(http_parser *p, const char *buf, size_t len) {
  request *req = get_current_request(p);
  return append(req, &req->path, LIMIT_PATH, buf, len, 414);
}

#include "pihub_target.h"

static PyObject *method_name(int method) {
  switch (method) {
    case HTTP_DELETE: return http_method_delete;
    case HTTP_GET: return http_method_get;
    case HTTP_HEAD: return http_method_head;
    case HTTP_POST: return http_method_post;
    case HTTP_PUT: return http_method_put;
    case HTTP_PATCH: return http_method_patch;
    case HTTP_OPTIONS: return http_method_options;
    case HTTP_TRACE: return http_method_trace;
    case HTTP_COPY: return http_method_copy;
    case HTTP_LOCK: return http_method_lock;
    case HTTP_MKCOL: return http_method_mkcol;
    case HTTP_MOVE: return http_method_move;
    case HTTP_PROPFIND: return http_method_propfind;
    case HTTP_PROPPATCH: return http_method_proppatch;
    case HTTP_UNLOCK: return http_method_unlock;
    case HTTP_REPORT: return http_method_report;
    case HTTP_MKACTIVITY: return http_method_mkactivity;
    case HTTP_CHECKOUT: return http_method_checkout;
    case HTTP_MERGE: return http_method_merge;
    default: return NULL; /* CONNECT among them: 501 */
  }
}

/* What the whole head must satisfy. 0 or -1. */
static int check_head(http_parser *p, request *req) {
  int chunked = (p->flags & F_CHUNKED) != 0;
  if (p->http_major > 9 || p->http_minor > 9 || p->http_major == 0) {
    return refuse(req, 400);
  }
  if (p->http_major != 1) {
    return refuse(req, 505);
  }
  if (p->http_minor > 1) {
    p->http_minor = 1; /* RFC 9110, 2.5 */
  }
  if (req->hosts == 0 && p->http_minor == 1) {
    return refuse(req, 400); /* RFC 9112, 3.2 */
  }
  /* RFC 9112, 6.1 and 6.3: both lengths, or chunked from HTTP/1.0, is faulty framing. The
   * parser's own idea of the framing must be ours. */
  if (req->codings && (req->lengths || p->http_minor == 0)) {
    return refuse(req, 400);
  }
  if (chunked != (req->codings > 0) || (p->content_length != ULLONG_MAX) != (req->lengths > 0)) {
    return refuse(req, 400);
  }
  return method_name(p->method) == NULL ? refuse(req, 501) : 0;
}

static int headers_complete_cb(http_parser *p) {
  client_t *client = get_client(p);
  request *req = client->current_req;
  PyObject *environ = req->environ, *object;

  if (req->last_header_element == VALUE && add_header(p, req) < 0) {
    return -1;
  }
  req->head_done = 1;
  p->upgrade = 0; /* no protocol to switch to: RFC 9110, 7.8 lets a server ignore it */
  if (check_head(p, req) < 0 || set_target(p, req) < 0) {
    return -1;
  }
  if (req->lengths && p->content_length > max_content_length) {
    return refuse(req, 413); /* after the target, which may have words of its own for it */
  }
  req->method = p->method;
  req->body_length = req->lengths ? (int64_t)p->content_length : 0;
  client->keep_alive = p->http_minor == 1 ? !req->wants_close : req->wants_keep;
  client->state = PIHUB_BODY;
  client->body_since = pihub_now();
  object = p->http_minor == 1 ? server_protocol_val11 : server_protocol_val10;
  if (PyDict_SetItem(environ, server_protocol_key, object) < 0 ||
      PyDict_SetItem(environ, request_method_key, method_name(p->method)) < 0) {
    PyErr_Clear();
    return refuse(req, 500);
  }
  req->client_object = ClientObject_New(client);
  if (req->client_object == NULL ||
      PyDict_SetItem(environ, client_key, req->client_object) < 0) {
    PyErr_Clear();
    return refuse(req, 500);
  }
  if (req->wants_continue && p->http_minor == 1 && (req->codings || req->body_length > 0)) {
    /* RFC 9110, 10.1.1. 25 bytes into an empty socket buffer: no wait. */
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (send(client->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
      return refuse(req, 400);
    }
  }
  return 0;
}
