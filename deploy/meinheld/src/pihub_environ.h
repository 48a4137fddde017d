/* The environ of a request and its keys. Included by http_request_parser.c.
 *
 * A request's dict is a copy of one that has every key which is always set, in a table that
 * is large enough for the usual fields, too: copying a table is one memcpy, growing it twice
 * is not. Keys are interned, so that the application's look-ups compare addresses. */

/* More than the smaller table holds beside the fixed keys; fewer than half of those, or
 * CPython copies entry by entry (PyDict_Copy, dictobject.c). */
#define PIHUB_SPARE_KEYS 6
#define PIHUB_KNOWN 128     /* slots of the table of common fields; 4 KiB */

static PyObject *environ_template = NULL;

/* Common fields' keys. Others are made anew each time: interning what clients send would
 * let them fill the memory. CONTENT_TYPE and CONTENT_LENGTH have no prefix (PEP 3333). */
static const char *const common_fields[] = {
    "accept", "accept-charset", "accept-encoding", "accept-language", "anthropic-beta",
    "anthropic-version", "authorization", "cache-control", "connection", "content-encoding",
    "content-length", "content-type", "cookie", "dnt", "expect", "forwarded", "from", "host",
    "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since",
    "idempotency-key", "keep-alive", "last-event-id", "openai-beta", "openai-organization",
    "openai-project", "origin", "pragma", "range", "referer", "sec-ch-ua", "sec-ch-ua-mobile",
    "sec-ch-ua-platform", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site",
    "sec-fetch-user", "te", "traceparent", "tracestate", "transfer-encoding",
    "upgrade-insecure-requests", "user-agent", "via", "x-api-key", "x-forwarded-for",
    "x-forwarded-host", "x-forwarded-proto", "x-pihub-cache", "x-real-ip", "x-request-id",
    "x-requested-with", "x-stainless-arch", "x-stainless-async", "x-stainless-lang",
    "x-stainless-os", "x-stainless-package-version", "x-stainless-read-timeout",
    "x-stainless-retry-count", "x-stainless-runtime", "x-stainless-runtime-version",
    "x-stainless-timeout",
};

typedef struct {
  const char *name;
  size_t len;
  PyObject *key;
} known_field;

static known_field known_fields[PIHUB_KNOWN];

static unsigned known_slot(const char *name, size_t len) {
  return (unsigned)(len * 7 + (name[0] | 0x20) * 31 + (name[len / 2] | 0x20) * 17 +
                    (name[len - 1] | 0x20)) % PIHUB_KNOWN;
}

/* The key of any field, as a new object. */
static PyObject *made_key(const char *name, size_t len) {
  PyObject *key = PyUnicode_New((Py_ssize_t)len + 5, 127);
  char *to;
  if (key == NULL) {
    return NULL;
  }
  to = (char *)PyUnicode_DATA(key);
  memcpy(to, "HTTP_", 5);
  to += 5;
  for (size_t i = 0; i < len; i++) {
    char c = name[i];
    to[i] = c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
  }
  return key;
}

static int know_fields(void) {
  for (size_t i = 0; i < sizeof(common_fields) / sizeof(common_fields[0]); i++) {
    const char *name = common_fields[i];
    size_t len = strlen(name);
    unsigned slot = known_slot(name, len);
    PyObject *key = !strcmp(name, "content-type")     ? Py_NewRef(content_type_key)
                    : !strcmp(name, "content-length") ? Py_NewRef(content_length_key)
                                                      : made_key(name, len);
    if (key == NULL) {
      return -1;
    }
    PyUnicode_InternInPlace(&key);
    while (known_fields[slot].key != NULL) {
      slot = (slot + 1) % PIHUB_KNOWN;
    }
    known_fields[slot] = (known_field){name, len, key};
  }
  return 0;
}

/* A field's key, a new reference. */
static PyObject *field_key(const char *name, size_t len) {
  unsigned slot = len > 0 ? known_slot(name, len) : 0;
  for (; len > 0 && known_fields[slot].key != NULL; slot = (slot + 1) % PIHUB_KNOWN) {
    const known_field *known = &known_fields[slot];
    if (known->len == len && !strncasecmp(known->name, name, len)) {
      return Py_NewRef(known->key);
    }
  }
  return made_key(name, len);
}

static int make_template(void) {
  PyObject *spare[PIHUB_SPARE_KEYS] = {NULL};
  PyObject *terminated_key = PyUnicode_InternFromString("wsgi.input_terminated");
  PyObject *constants[][2] = {
      {version_key, version_val},           {scheme_key, scheme_val},
      {errors_key, errors_val},             {multithread_key, multithread_val},
      {multiprocess_key, multiprocess_val}, {run_once_key, run_once_val},
      {script_key, empty_string},           {server_name_key, server_name_val},
      {server_port_key, server_port_val},   {terminated_key, Py_True},
      /* set for each request before the application sees it */
      {remote_addr_key, Py_None},           {remote_port_key, Py_None},
      {server_protocol_key, Py_None},       {request_method_key, Py_None},
      {path_info_key, Py_None},             {query_string_key, Py_None},
      {raw_uri_key, Py_None},               {client_key, Py_None},
      {wsgi_input_key, Py_None},
  };
  PyObject *made = PyDict_New();
  int status = made == NULL || terminated_key == NULL ? -1 : 0;
  for (size_t i = 0; status == 0 && i < sizeof(constants) / sizeof(constants[0]); i++) {
    status = PyDict_SetItem(made, constants[i][0], constants[i][1]);
  }
  /* The table grows for the spare keys and keeps its size when they go. */
  for (int i = 0; status == 0 && i < PIHUB_SPARE_KEYS; i++) {
    spare[i] = PyUnicode_FromFormat("spare %d", i);
    status = spare[i] == NULL ? -1 : PyDict_SetItem(made, spare[i], Py_None);
  }
  for (int i = 0; i < PIHUB_SPARE_KEYS; i++) {
    if (status == 0 && PyDict_DelItem(made, spare[i]) < 0) {
      status = -1;
    }
    Py_XDECREF(spare[i]);
  }
  Py_XDECREF(terminated_key);
  if (status == 0 && known_fields[known_slot("host", 4)].key == NULL) {
    status = know_fields();
  }
  if (status == 0) {
    Py_XSETREF(environ_template, made);
  } else {
    Py_XDECREF(made);
  }
  return status;
}

PyObject *new_environ(client_t *client) {
  PyObject *environ;
  if (environ_template == NULL && make_template() < 0) {
    return NULL;
  }
  if (client->addr == NULL) {
    client->addr = PyUnicode_FromString(client->remote_addr);
  }
  if (client->port == NULL) {
    client->port = PyUnicode_FromFormat("%d", client->remote_port);
  }
  environ = PyDict_Copy(environ_template);
  if (environ == NULL || client->addr == NULL || client->port == NULL ||
      PyDict_SetItem(environ, remote_addr_key, client->addr) < 0 ||
      PyDict_SetItem(environ, remote_port_key, client->port) < 0) {
    Py_XDECREF(environ);
    PyErr_Clear();
    return NULL;
  }
  return environ;
}
