"""The connection's life, the loop and its API: upstream's parts give way to our files."""

from __future__ import annotations

from edits.kinds import Cut, Drop, Edit, Replace

SERVER = "meinheld/server/server.c"
EPOLL = "meinheld/server/picoev_epoll.c"
PICOEV = "meinheld/server/picoev.h"
CLOCK = "meinheld/server/time_cache"

LOOP: list[Edit] = [
    # The wall clock jumps (a Pi has no clock battery): every timer would fire at once.
    Replace(PICOEV, "current_msec / 1000", "(time_t)(monotonic_msec / 1000)", 2),
    Replace(EPOLL, "current_msec / 1000", "(time_t)(monotonic_msec / 1000)"),
    Replace("meinheld/server/timer.c", "current_msec / 1000", "(time_t)(monotonic_msec / 1000)"),
    Replace(
        f"{CLOCK}.h",
        "extern volatile uintptr_t current_msec;\n",
        "extern volatile uintptr_t current_msec;\nextern uint64_t monotonic_msec;\n",
    ),
    Replace(
        f"{CLOCK}.c",
        "volatile uintptr_t current_msec;\n",
        "volatile uintptr_t current_msec;\nuint64_t monotonic_msec;\n",
    ),
    Replace(
        f"{CLOCK}.c",
        "  gettimeofday(&tv, NULL);\n",
        "  struct timespec now;\n  clock_gettime(CLOCK_MONOTONIC, &now);\n"
        "  monotonic_msec = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;\n"
        "  gettimeofday(&tv, NULL);\n",
    ),
    # A timer's callback may have removed another descriptor of the same second.
    Replace(
        PICOEV,
        "                assert(fd->loop_id == loop->loop_id);\n",
        "                if (fd->loop_id != loop->loop_id ||\n"
        "                    fd->timeout_idx != loop->timeout.base_idx) {\n"
        "                  continue;\n                }\n",
    ),
    # Tables sized by max_fd: let untouched pages stay unmapped.
    Replace(PICOEV, "(*orig_addr = malloc(sz))", "(*orig_addr = calloc(1, sz))"),
    Replace(
        PICOEV,
        "  if (clear != 0) {\n    memset(*orig_addr, 0, sz);\n  }\n",
        "  (void)clear;\n",
    ),
    Replace(
        PICOEV,
        "  assert(PICOEV_IS_INITED_AND_FD_IN_RANGE(fd));\n  return loop != NULL ?",
        "  if (!PICOEV_IS_INITED_AND_FD_IN_RANGE(fd)) return 0;\n  return loop != NULL ?",
    ),
    Replace(
        PICOEV,
        "#define PICOEV_READWRITE (PICOEV_READ | PICOEV_WRITE)\n",
        "#define PICOEV_READWRITE (PICOEV_READ | PICOEV_WRITE)\n"
        "/* The server opened the descriptor and tells when it closes it. */\n"
        "#define PICOEV_OWNED 0x10000000\n"
        "/* A listening socket that other processes poll too. */\n"
        "#define PICOEV_SHARED 0x08000000\n",
    ),
    Replace(
        PICOEV,
        "/* internal: poll once and call",
        "/* stop polling `fd` at once; or: it was closed, or is new under its number */\n"
        "void picoev_forget(picoev_loop* loop, int fd);\n"
        "void picoev_closed(picoev_loop* loop, int fd);\n\n"
        "/* internal: poll once and call",
    ),
    Cut(
        EPOLL,
        "int picoev_update_events_internal(picoev_loop* _loop, int fd, int events) {\n",
        "int picoev_poll_once_internal(picoev_loop* _loop, int max_wait) {\n",
        59,
        '#include "pihub_epoll.h"\n\n',
    ),
    Cut(
        EPOLL,
        "    struct epoll_event* event = loop->events + i;\n",
        "  }\n  return 0;\n}\n",
        16,
        "    deliver(loop, loop->events + i);\n",
    ),
]

CONNECTION: list[Edit] = [
    Drop("meinheld/server/response.c"),
    Drop("meinheld/server/response.h"),
    Replace(
        SERVER,
        "#include <arpa/inet.h>\n",
        '#include <arpa/inet.h>\n#include <sys/ioctl.h>\n\n#include "pihub_port.h"\n',
    ),
    Replace(SERVER, "static int max_fd = 1024 * 4;", "static int max_fd = 1024 * 4; "),
    Replace(SERVER, "  setup_start_response();\n", ""),
    Replace(SERVER, "  clear_start_response();\n", ""),
    Cut(
        SERVER,
        "static void read_callback(picoev_loop *loop, int fd, int events, void *cb_arg);\n",
        "static PyObject *internal_schedule_call(int seconds, PyObject *cb,\n"
        "                                        PyObject *args, PyObject *kwargs,\n"
        "                                        PyObject *greenlet);\n",
        11,
    ),
    Cut(
        SERVER,
        "static int prepare_call_wsgi(client_t *client);\n",
        "static pending_queue_t *init_pendings(void) {\n",
        6,
    ),
    Cut(
        SERVER,
        "static client_t *new_client_t(int client_fd, char *remote_addr,\n",
        "static void setup_server_env(void) {\n",
        1009,
        '#include "pihub_wait.h"\n#include "pihub_sources.h"\n#include "pihub_conn.h"\n'
        '#include "pihub_accept.h"\n\n',
    ),
    Cut(
        SERVER,
        "static void fast_notify(void) {\n",
        "static PyObject *set_listen_socket(PyObject *temp) {\n",
        8,
    ),
    # A reference too many was given back.
    Replace(
        SERVER,
        "    if (PyList_Append(listen_socks, temp) == -1) {\n      return NULL;\n    }\n"
        "    Py_DECREF(temp);\n",
        "    if (PyList_Append(listen_socks, temp) == -1) {\n      return NULL;\n    }\n",
    ),
    Cut(
        SERVER,
        "static void sigint_cb(int signum) {\n",
        "static PyObject *meinheld_access_log(PyObject *self, PyObject *args) {\n",
        9,
    ),
    Cut(
        SERVER,
        "static PyObject *meinheld_stop(PyObject *self, PyObject *args, PyObject *kwds) {\n",
        "PyObject *meinheld_set_keepalive(PyObject *self, PyObject *args) {\n",
        223,
        '#include "pihub_run.h"\n\n',
    ),
    Cut(
        SERVER,
        "PyObject *meinheld_set_fastwatchdog(PyObject *self, PyObject *args) {\n",
        "PyObject *meinheld_set_watchdog(PyObject *self, PyObject *args) {\n",
        14,
    ),
    Cut(
        SERVER,
        "PyObject *meinheld_suspend_client(PyObject *self, PyObject *args) {\n",
        "PyObject *meinheld_get_ident(PyObject *self, PyObject *args) {\n",
        308,
        '#include "pihub_greenlets.h"\n\n',
    ),
    Replace(
        SERVER,
        '    {"sleep", (PyCFunction)meinheld_sleep, METH_VARARGS | METH_KEYWORDS, ""},\n',
        '    {"drain", meinheld_drain, METH_VARARGS, "stop accepting, finish, leave run()"},\n'
        '    {"set_patience", (PyCFunction)meinheld_set_patience, METH_VARARGS | METH_KEYWORDS,\n'
        '     "seconds that slow clients are waited for: head=15, body=20, write=60"},\n'
        '    {"set_headers", meinheld_set_headers, METH_O,\n'
        '     "lines that every answer has, each with its CRLF"},\n'
        '    {"set_too_large", meinheld_set_too_large, METH_VARARGS,\n'
        '     "(prefix of paths, JSON) of a body that is too large"},\n'
        '    {"set_limits", (PyCFunction)meinheld_set_limits, METH_VARARGS | METH_KEYWORDS,\n'
        '     "head=bytes of all fields, per_source=connections, spared=callable(address)"},\n',
    ),
    Replace(
        SERVER,
        '    {"set_fastwatchdog", meinheld_set_fastwatchdog, METH_VARARGS,\n'
        '     "set watchdog"},\n',
        "",
    ),
    Cut(
        SERVER,
        '    {"_suspend_client", meinheld_suspend_client,',
        '    {"trampoline", (PyCFunction)meinheld_trampoline,',
        4,
    ),
    Cut(
        SERVER,
        "  if (PyType_Ready(&FileWrapperType) < 0) {\n",
        "  if (PyType_Ready(&ClientObjectType) < 0) {\n",
        4,
    ),
    Replace(
        "meinheld/server/http_request_parser.c",
        "  PyDict_SetItem(environ, file_wrapper_key, file_wrapper_val);\n",
        "",
    ),
]

EDITS: list[Edit] = [*LOOP, *CONNECTION]
