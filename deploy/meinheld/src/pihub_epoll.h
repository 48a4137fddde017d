/* Registering with epoll. Included by picoev_epoll.c.
 *
 * A descriptor's `_backend` says what epoll knows of it, as far as we know: REGISTERED
 * with the events of the low bits, which are 0 once a one-shot has fired. Only for
 * descriptors that the server owns is that certain; others may have been closed and their
 * number given to a new file, so for them the system call is always made. */

#define REGISTERED 0x100
#define ONESHOT 0x200

static int tell_epoll(picoev_loop_epoll *loop, int fd, uint32_t flags, int known) {
  struct epoll_event ev;
  int op = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  memset(&ev, 0, sizeof(ev));
  ev.events = flags;
  ev.data.fd = fd;
  if (epoll_ctl(loop->epfd, op, fd, &ev) == 0) {
    return 0;
  }
  if (errno == ENOENT || errno == EEXIST) {
    op = errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    return epoll_ctl(loop->epfd, op, fd, &ev);
  }
  return -1;
}

int picoev_update_events_internal(picoev_loop *_loop, int fd, int events) {
  picoev_loop_epoll *loop = (picoev_loop_epoll *)_loop;
  picoev_fd *target = picoev.fds + fd;
  int wanted = events & PICOEV_READWRITE;
  uint32_t flags = (wanted & PICOEV_READ ? EPOLLIN : 0) | (wanted & PICOEV_WRITE ? EPOLLOUT : 0);
  int state = REGISTERED | wanted;

  target->events = (char)wanted;
  if ((events & PICOEV_DEL) != 0 || wanted == 0) {
    return 0; /* epoll is told when an event nobody wants arrives */
  }
  if (events & PICOEV_SHARED) {
    /* Wake one process, not all. Such a registration cannot be modified. */
    picoev_forget(_loop, fd);
    flags |= EPOLLEXCLUSIVE;
  } else if (events & PICOEV_OWNED) {
    if (target->_backend == state) {
      return 0; /* the next request of a kept connection costs no system call */
    }
  } else {
    flags |= EPOLLONESHOT;
    state |= ONESHOT;
  }
  if (tell_epoll(loop, fd, flags, target->_backend & REGISTERED) != 0) {
    target->_backend = 0;
    target->events = 0;
    return -1;
  }
  target->_backend = state;
  return 0;
}

void picoev_forget(picoev_loop *_loop, int fd) {
  picoev_loop_epoll *loop = (picoev_loop_epoll *)_loop;
  struct epoll_event ev;
  memset(&ev, 0, sizeof(ev));
  epoll_ctl(loop->epfd, EPOLL_CTL_DEL, fd, &ev);
  picoev.fds[fd]._backend = 0;
}

void picoev_closed(picoev_loop *_loop, int fd) { picoev.fds[fd]._backend = 0; }

static void deliver(picoev_loop_epoll *loop, const struct epoll_event *event) {
  int fd = event->data.fd, revents;
  picoev_fd *target = picoev.fds + fd;

  if (target->_backend & ONESHOT) {
    target->_backend = REGISTERED | ONESHOT;
  }
  if (target->loop_id != loop->loop.loop_id || (target->events & PICOEV_READWRITE) == 0) {
    if (!(target->_backend & ONESHOT)) {
      picoev_forget(&loop->loop, fd);
    }
    return;
  }
  revents = (event->events & EPOLLIN ? PICOEV_READ : 0) |
            (event->events & EPOLLOUT ? PICOEV_WRITE : 0);
  if (event->events & (EPOLLERR | EPOLLHUP)) {
    /* Whatever is waited for: the next call on the descriptor tells. Upstream ignored it
     * and span. */
    revents |= target->events & PICOEV_READWRITE;
  }
  if (revents != 0) {
    (*target->callback)(&loop->loop, fd, revents, target->cb_arg);
  }
}
