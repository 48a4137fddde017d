/* Greenlets waiting for file descriptors. Included by server.c.
 *
 * The hub is the greenlet that runs the loop; every wait switches to it, whoever the
 * waiter's parent is. While a greenlet waits the loop owns one reference to it. */

pihub_patience patience = {.head = 15, .body = 20, .write = 60};

static PyObject *hub = NULL;
static int leaving = 0; /* the loop is being left: nobody may wait any more */

static int watch(int fd, int events, int secs, picoev_handler *callback, void *arg) {
  int status = picoev_add(main_loop, fd, events, secs, callback, arg);
  if (status == 0) {
    activecnt++;
  }
  return status;
}

static void unwatch(int fd) {
  if (picoev_is_active(main_loop, fd)) {
    picoev_del(main_loop, fd);
    activecnt--;
  }
}

static void wait_callback(picoev_loop *loop, int fd, int events, void *arg) {
  PyObject *greenlet = (PyObject *)arg; /* the loop's reference */
  PyObject *result;
  unwatch(fd);
  if (events & PICOEV_TIMEOUT) {
    result = greenlet_throw(greenlet, timeout_error, NULL, NULL);
  } else {
    result = greenlet_switch(greenlet, hub_switch_value, NULL);
  }
  if (result == NULL) {
    call_error_logger();
  }
  Py_XDECREF(result);
  Py_DECREF(greenlet);
}

/* Wait for `fd`; 0, or -1 with an exception set. `secs` 0: no limit. */
static int wait_fd(int fd, int events, int secs) {
  PyObject *current, *result;
  void *arg = NULL;

  if (main_loop == NULL || hub == NULL || leaving) {
    PyErr_SetString(PyExc_RuntimeError, "the server is not running");
    return -1;
  }
  if (fd < 0 || fd >= picoev.max_fd) {
    PyErr_Format(PyExc_ValueError, "file descriptor %d is out of range", fd);
    return -1;
  }
  if (picoev_is_active(main_loop, fd)) {
    PyErr_Format(PyExc_RuntimeError, "file descriptor %d is waited for already", fd);
    return -1;
  }
  current = greenlet_getcurrent();
  if (current == NULL) {
    return -1;
  }
  if (current == hub) {
    Py_DECREF(current);
    PyErr_SetString(PyExc_RuntimeError, "the hub itself cannot wait");
    return -1;
  }
  if (watch(fd, events, secs, wait_callback, current) < 0) {
    Py_DECREF(current);
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
  }
  result = greenlet_switch(hub, hub_switch_value, NULL);
  /* Somebody else than the loop woke us (a throw): the loop must forget us. */
  if (main_loop != NULL && picoev_is_active(main_loop, fd) &&
      picoev_get_callback(main_loop, fd, &arg) == wait_callback && arg == current) {
    unwatch(fd);
    Py_DECREF(current);
  }
  Py_XDECREF(result);
  return result == NULL ? -1 : 0;
}

/* Let go of whoever waits for `fd` from Python: the server needs the descriptor now. That
 * greenlet goes on as after a spurious wake-up. */
static void evict_waiter(int fd) {
  void *arg = NULL;
  PyObject *greenlet, *timer;
  if (!picoev_is_active(main_loop, fd) ||
      picoev_get_callback(main_loop, fd, &arg) != wait_callback) {
    return;
  }
  greenlet = (PyObject *)arg;
  unwatch(fd);
  timer = internal_schedule_call(0, NULL, NULL, NULL, greenlet);
  if (timer == NULL) {
    call_error_logger();
  }
  Py_XDECREF(timer);
  Py_DECREF(greenlet);
}

int pihub_wait_writable(client_t *client) {
  evict_waiter(client->fd);
  return wait_fd(client->fd, PICOEV_WRITE, patience.write);
}

/* End every waiting greenlet: its `finally` blocks run, its waits fail. */
static void end_waiters(void) {
  leaving = 1;
  for (int fd = 0; fd < picoev.max_fd; fd++) {
    void *arg = NULL;
    PyObject *greenlet, *result;
    if (!picoev_is_active(main_loop, fd) ||
        picoev_get_callback(main_loop, fd, &arg) != wait_callback) {
      continue;
    }
    greenlet = (PyObject *)arg;
    unwatch(fd);
    result = greenlet_throw(greenlet, greenlet_exit, NULL, NULL);
    if (result == NULL) {
      call_error_logger();
    }
    Py_XDECREF(result);
    Py_DECREF(greenlet);
  }
}
