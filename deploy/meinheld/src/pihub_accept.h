/* Accepting connections. Included by server.c. */

#define PIHUB_ACCEPTS_A_TURN 8

static void accept_callback(picoev_loop *loop, int fd, int events, void *arg);

static void listen_on(int fd) {
  if (watch(fd, PICOEV_READ | PICOEV_SHARED, 0, accept_callback, NULL) < 0) {
    PyErr_SetFromErrno(PyExc_OSError);
    call_error_logger();
  }
}

static void listen_off(int fd) {
  unwatch(fd);
  picoev_forget(main_loop, fd); /* at once: a late wake-up would be lost for the others */
}

static void accept_one(int fd, const struct sockaddr_storage *addr) {
  client_t *client;
  picoev_closed(main_loop, fd); /* nothing known about the number's former owner holds */
  setup_sock(fd);
  client = conn_new(fd, addr);
  if (client == NULL) {
    close(fd);
    return;
  }
  conn_read(client); /* the listener defers until there is something to read */
}

static void accept_callback(picoev_loop *loop, int fd, int events, void *arg) {
  if (events & PICOEV_TIMEOUT) { /* the pause after a shortage is over */
    unwatch(fd);
    listen_on(fd);
    return;
  }
  for (int i = 0; i < PIHUB_ACCEPTS_A_TURN; i++) {
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof(addr);
    int conn = accept4(fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (conn >= 0) {
      if (conn >= picoev.max_fd) {
        close(conn);
      } else {
        cache_time_update();
        accept_one(conn, &addr);
        if (draining || !picoev_is_active(main_loop, fd)) {
          return;
        }
      }
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      /* A level-triggered listener would spin: look again in a second. */
      listen_off(fd);
      watch(fd, PICOEV_TIMEOUT, 1, accept_callback, NULL);
      return;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EBADF || errno == EINVAL) {
      return;
    }
    /* ECONNABORTED, EINTR and the network errors of accept(2) concern one client. */
  }
}

/* Call `action` for every listening socket. */
static void each_listener(void (*action)(int fd)) {
  Py_ssize_t count = listen_socks == NULL ? 0 : PyList_GET_SIZE(listen_socks);
  for (Py_ssize_t i = 0; i < count; i++) {
    action((int)PyLong_AsLong(PyList_GET_ITEM(listen_socks, i)));
  }
}

static void listener_start(int fd) {
  setup_listen_sock(fd);
  listen_on(fd);
}

/* SERVER_NAME and SERVER_PORT: where the first listener is bound. */
static void name_server(void) {
  static char name[INET6_ADDRSTRLEN];
  struct sockaddr_storage addr = {0};
  socklen_t len = sizeof(addr);
  if (PyList_GET_SIZE(listen_socks) == 0 ||
      getsockname((int)PyLong_AsLong(PyList_GET_ITEM(listen_socks, 0)), (struct sockaddr *)&addr,
                  &len) < 0) {
    return;
  }
  if (addr.ss_family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&addr;
    inet_ntop(AF_INET, &v4->sin_addr, name, sizeof(name));
    server_port = ntohs(v4->sin_port);
    server_name = name;
  } else if (addr.ss_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&addr;
    inet_ntop(AF_INET6, &v6->sin6_addr, name, sizeof(name));
    server_port = ntohs(v6->sin6_port);
    server_name = name;
  }
}
