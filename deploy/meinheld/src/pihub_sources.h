/* How many connections each source has. Included by server.c.
 *
 * A source is an IPv4 address or the first half of an IPv6 one: a home has that many. The table
 * is open addressing with linear probing; deletion moves followers back (Knuth, TAOCP 3, 6.4,
 * algorithm R), so it never fills with tombstones.
 *
 * RAM: 16 bytes for each of twice as many places as descriptors, taken when used. */

typedef struct {
  uint64_t key; /* 0: free */
  uint32_t count;
} pihub_source;

static pihub_source *sources = NULL;
static uint32_t sources_mask = 0;
static int source_most = 0;        /* 0: no limit */
static PyObject *source_spared = NULL; /* asked for a source that is at the limit; NULL: none is */

static uint64_t source_key(const char *text) {
  unsigned char raw[16];
  uint64_t key = 0;
  if (inet_pton(AF_INET, text, raw) == 1) {
    for (int i = 0; i < 4; i++) {
      key = key << 8 | raw[i];
    }
    return key | UINT64_C(1) << 63;
  }
  if (inet_pton(AF_INET6, text, raw) == 1) {
    for (int i = 0; i < 8; i++) {
      key = key << 8 | raw[i];
    }
    return key ? key : 1;
  }
  return 0; /* a unix socket has no source */
}

static uint32_t source_home(uint64_t key) {
  key *= UINT64_C(0x9E3779B97F4A7C15);
  return (uint32_t)(key >> 32) & sources_mask;
}

static pihub_source *source_at(uint64_t key) {
  uint32_t at = source_home(key);
  while (sources[at].key != 0 && sources[at].key != key) {
    at = (at + 1) & sources_mask;
  }
  return &sources[at];
}

/* Whether this source may have as many connections as it likes. */
static int source_is_spared(const char *text) {
  PyObject *said;
  int found = 0;
  if (source_spared == NULL) {
    return 0;
  }
  said = PyObject_CallFunction(source_spared, "s", text);
  if (said == NULL) {
    call_error_logger();
  } else {
    found = PyObject_IsTrue(said) == 1;
    Py_DECREF(said);
  }
  PyErr_Clear();
  return found;
}

/* Count a connection: 1, or 0 if its source has too many. */
static int source_enter(const char *text) {
  uint64_t key = sources == NULL ? 0 : source_key(text);
  pihub_source *found;
  if (key == 0) {
    return 1;
  }
  found = source_at(key);
  if (found->count >= (uint32_t)source_most && !source_is_spared(text)) {
    return 0;
  }
  found->key = key;
  found->count++;
  return 1;
}

static void source_leave(const char *text) {
  uint64_t key = sources == NULL ? 0 : source_key(text);
  pihub_source *found = key == 0 ? NULL : source_at(key);
  uint32_t hole, at;
  if (found == NULL || found->key == 0 || --found->count > 0) {
    return;
  }
  hole = at = (uint32_t)(found - sources);
  for (;;) {
    uint32_t home;
    memset(&sources[hole], 0, sizeof(*sources));
    do {
      at = (at + 1) & sources_mask;
      if (sources[at].key == 0) {
        return;
      }
      home = source_home(sources[at].key);
    } while (hole <= at ? hole < home && home <= at : hole < home || home <= at);
    sources[hole] = sources[at];
    hole = at;
  }
}

/* Before the first connection. `places`: descriptors there may be. 0 or -1 with an error. */
static int sources_begin(int places) {
  uint32_t size = 64;
  while (size < 2u * (uint32_t)places) {
    size *= 2;
  }
  free(sources);
  sources = source_most > 0 ? calloc(size, sizeof(*sources)) : NULL;
  sources_mask = size - 1;
  if (source_most > 0 && sources == NULL) {
    PyErr_NoMemory();
    return -1;
  }
  return 0;
}
