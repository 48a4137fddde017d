/* The loop, and leaving it. Included by server.c. */

static int64_t leave_at = -1; /* draining ends then at the latest */

static void begin_drain(int64_t secs) {
  int64_t until;
  if (main_loop == NULL) {
    return;
  }
  until = pihub_now() + secs;
  if (!draining) {
    draining = 1;
    leave_at = until;
    each_listener(listen_off);
    for (client_t *client = clients; client != NULL; client = client->next) {
      if (client->state == PIHUB_IDLE && picoev_is_active(main_loop, client->fd)) {
        picoev_set_timeout(main_loop, client->fd, PIHUB_DRAIN_IDLE_SECS);
      }
    }
  } else if (until < leave_at) {
    leave_at = until;
  }
}

static PyObject *meinheld_drain(PyObject *self, PyObject *args) {
  double seconds;
  if (!PyArg_ParseTuple(args, "d:drain", &seconds)) {
    return NULL;
  }
  if (!(seconds >= 0 && seconds <= 1e9)) {
    PyErr_SetString(PyExc_ValueError, "seconds out of range");
    return NULL;
  }
  begin_drain((int64_t)seconds + (seconds > (double)(int64_t)seconds));
  Py_RETURN_NONE;
}

static PyObject *meinheld_stop(PyObject *self, PyObject *args, PyObject *kwargs) {
  int timeout = 0;
  static char *keywords[] = {"timeout", NULL};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|i:stop", keywords, &timeout)) {
    return NULL;
  }
  begin_drain(timeout > 0 ? timeout : 0);
  Py_RETURN_NONE;
}

/* spawn() and schedule_call(0): in order, and only those that were there at the start. */
static void fire_pendings(void) {
  uint32_t count = g_pendings->size;
  for (uint32_t i = 0; i < count; i++) {
    TimerObject *timer = g_pendings->q[i];
    fire_timer(timer);
    Py_DECREF(timer);
    activecnt--;
    if (PyErr_Occurred()) {
      call_error_logger();
    }
  }
  g_pendings->size -= count;
  memmove(g_pendings->q, g_pendings->q + count, sizeof(TimerObject *) * g_pendings->size);
}

static void fire_timers(void) {
  while (g_timers->size > 0 && g_timers->heap[0]->seconds <= (time_t)(monotonic_msec / 1000)) {
    TimerObject *timer = heappop(g_timers);
    fire_timer(timer);
    Py_DECREF(timer);
    activecnt--;
    if (PyErr_Occurred()) {
      call_error_logger();
    }
  }
}

static void call_watchdog(void) {
  PyObject *result;
  if (watchdog == NULL || watchdog_lasttime == main_loop->now) {
    return;
  }
  watchdog_lasttime = main_loop->now;
  result = PyObject_CallNoArgs(watchdog);
  if (result == NULL) {
    call_error_logger();
  }
  Py_XDECREF(result);
}

/* One turn after another until drained, or until a signal handler raises. */
static int run_turns(void) {
  for (;;) {
    /* Python's own handlers run here: the arbiter's signals are answered by the worker. */
    if (PyErr_CheckSignals() < 0) {
      return -1;
    }
    if (draining && (nclients == 0 || pihub_now() >= leave_at)) {
      return 0;
    }
    fire_pendings();
    fire_timers();
    run_ready();
    picoev_loop_once(main_loop, g_pendings->size > 0 || ready != NULL ? 0 : 10);
    call_watchdog();
  }
}

static void keep_exception(PyObject **type, PyObject **value, PyObject **traceback) {
  PyErr_Fetch(type, value, traceback);
}

static PyObject *meinheld_run_loop(PyObject *self, PyObject *args, PyObject *kwargs) {
  PyObject *type, *value, *traceback, *app;
  int silent = 0, status;
  static char *keywords[] = {"app", "silent", NULL};

  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|i:run", keywords, &app, &silent)) {
    return NULL;
  }
  if (listen_socks == NULL) {
    PyErr_SetString(PyExc_RuntimeError, "no listening socket was set");
    return NULL;
  }
  if (hub != NULL) {
    PyErr_SetString(PyExc_RuntimeError, "the server is running already");
    return NULL;
  }
  if (direct_take(app) < 0) {
    return NULL;
  }
  hub = greenlet_getcurrent();
  if (hub == NULL) {
    return NULL;
  }
  wsgi_app = Py_NewRef(app);
  draining = leaving = 0;
  leave_at = -1;
  name_server();
  setup_server_env();
  picoev_init(max_fd);
  main_loop = picoev_create_loop(60);
  if (main_loop == NULL) {
    PyErr_SetFromErrno(PyExc_OSError);
  }
  if (main_loop == NULL || sources_begin(max_fd) < 0) {
    Py_CLEAR(hub);
    return NULL;
  }
  each_listener(listener_start);

  status = run_turns();

  keep_exception(&type, &value, &traceback);
  if (!draining) {
    each_listener(listen_off);
    draining = 1;
  }
  end_waiters();
  while (clients != NULL) {
    conn_destroy(clients);
  }
  activecnt = 0;
  Py_CLEAR(watchdog);
  picoev_destroy_loop(main_loop);
  picoev_deinit();
  main_loop = NULL;
  direct = NULL;
  Py_CLEAR(wsgi_app);
  clear_server_env();
  Py_CLEAR(listen_socks); /* whoever opened them closes them */
  Py_CLEAR(hub);
  PyErr_Restore(type, value, traceback);
  if (status < 0) {
    return NULL;
  }
  Py_RETURN_NONE;
}
