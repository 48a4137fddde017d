/* The calls that Python sees beside upstream's own. Included by server.c. Upstream's sleep() and
 * suspend/resume are gone: they woke requests without restoring whose turn it was. */

static PyObject *meinheld_trampoline(PyObject *self, PyObject *args, PyObject *kwargs) {
  int fd, read = 0, write = 0, timeout = 0, events;
  static char *keywords[] = {"fileno", "read", "write", "timeout", NULL};

  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i|ppi:trampoline", keywords, &fd, &read, &write,
                                   &timeout)) {
    return NULL;
  }
  events = (read ? PICOEV_READ : 0) | (write ? PICOEV_WRITE : 0);
  if (timeout < 0 || (events == 0 && timeout == 0)) {
    PyErr_SetString(PyExc_ValueError, "nothing to wait for");
    return NULL;
  }
  if (wait_fd(fd, events ? events : PICOEV_TIMEOUT, timeout) < 0) {
    return NULL;
  }
  Py_RETURN_NONE;
}

static PyObject *meinheld_spawn(PyObject *self, PyObject *args, PyObject *kwargs) {
  PyObject *func, *func_args = NULL, *func_kwargs = NULL, *greenlet, *timer;
  static char *keywords[] = {"func", "args", "kwargs", NULL};

  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O!O!:spawn", keywords, &func, &PyTuple_Type,
                                   &func_args, &PyDict_Type, &func_kwargs)) {
    return NULL;
  }
  /* A child of the hub, not of the request that happens to spawn it. */
  greenlet = greenlet_new(func, hub);
  if (greenlet == NULL) {
    return NULL;
  }
  timer = internal_schedule_call(0, func, func_args, func_kwargs, greenlet);
  Py_DECREF(greenlet);
  if (timer == NULL) {
    return NULL;
  }
  Py_DECREF(timer);
  Py_RETURN_NONE;
}

static PyObject *meinheld_set_patience(PyObject *self, PyObject *args, PyObject *kwargs) {
  pihub_patience wanted = patience;
  static char *keywords[] = {"head", "body", "write", NULL};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$iii:set_patience", keywords, &wanted.head,
                                   &wanted.body, &wanted.write)) {
    return NULL;
  }
  /* 120: the timer wheel turns once in 128 s. */
  if (wanted.head < 1 || wanted.head > 120 || wanted.body < 1 || wanted.body > 120 ||
      wanted.write < 1 || wanted.write > 120) {
    PyErr_SetString(PyExc_ValueError, "patience is 1 to 120 seconds");
    return NULL;
  }
  patience = wanted;
  Py_RETURN_NONE;
}

static PyObject *meinheld_set_headers(PyObject *self, PyObject *lines) {
  Py_ssize_t len;
  char *text;
  if (PyBytes_AsStringAndSize(lines, &text, &len) < 0) {
    return NULL;
  }
  if (len > PIHUB_FIXED_SIZE || (len > 0 && (len < 2 || memcmp(text + len - 2, "\r\n", 2)))) {
    PyErr_Format(PyExc_ValueError, "at most %d bytes of lines, each with its CRLF",
                 PIHUB_FIXED_SIZE);
    return NULL;
  }
  memcpy(pihub_fixed, text, (size_t)len);
  pihub_fixed_len = (size_t)len;
  Py_RETURN_NONE;
}

/* What is answered to a body that is too large, below one prefix of paths: JSON. */
static PyObject *meinheld_set_too_large(PyObject *self, PyObject *args) {
  const char *prefix, *page;
  Py_ssize_t prefix_len, page_len;
  if (!PyArg_ParseTuple(args, "s#y#:set_too_large", &prefix, &prefix_len, &page, &page_len)) {
    return NULL;
  }
  if ((size_t)prefix_len >= sizeof(pihub_large_prefix) || (size_t)page_len >= PIHUB_LARGE_SIZE) {
    PyErr_Format(PyExc_ValueError, "a prefix below %zu bytes, a page below %d",
                 sizeof(pihub_large_prefix), PIHUB_LARGE_SIZE);
    return NULL;
  }
  memcpy(pihub_large_prefix, prefix, (size_t)prefix_len + 1);
  memcpy(pihub_large_page, page, (size_t)page_len + 1);
  Py_RETURN_NONE;
}

static PyObject *meinheld_set_limits(PyObject *self, PyObject *args, PyObject *kwargs) {
  int head = (int)pihub_head_most, most = source_most;
  PyObject *spared = Py_None;
  static char *keywords[] = {"head", "per_source", "spared", NULL};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$iiO:set_limits", keywords, &head, &most,
                                   &spared)) {
    return NULL;
  }
  if (head < 256 || most < 0 || (spared != Py_None && !PyCallable_Check(spared))) {
    PyErr_SetString(PyExc_ValueError, "head has 256 bytes or more, per_source is 0 or more");
    return NULL;
  }
  if (hub != NULL) { /* the table is made when run() begins */
    PyErr_SetString(PyExc_RuntimeError, "set_limits before run");
    return NULL;
  }
  pihub_head_most = (uint32_t)head;
  source_most = most;
  Py_XSETREF(source_spared, spared == Py_None ? NULL : Py_NewRef(spared));
  Py_RETURN_NONE;
}
