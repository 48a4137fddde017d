"""CPython >= 3.11 and greenlet >= 3: what makes the server build and be memory-safe."""

from __future__ import annotations

from edits.kinds import Cut, Drop, Edit, Replace

VERSION = "1.0.2+pihub.1"

SERVER = "meinheld/server/server.c"
TIMER = "meinheld/server/timer.c"
GREEN = "meinheld/server/greensupport.c"
LOG = "meinheld/server/log.c"
BUFFER = "meinheld/server/buffer.c"
CLIENT = "meinheld/server/client.c"
INPUT = "meinheld/server/input.c"
REQUEST = "meinheld/server/request.c"

METADATA: list[Edit] = [
    Replace("setup.py", 'version="1.0.2",', f'version="{VERSION}",'),
    Replace("setup.py", "'greenlet>=0.4.5,<0.5'", "'greenlet>=3'"),
    Replace(
        "setup.py",
        '            # extra_compile_args=[""],\n',
        "            extra_compile_args=PIHUB_COMPILE_ARGS,\n"
        "            extra_link_args=PIHUB_LINK_ARGS,\n",
    ),
    # Only the C server is used; the rest (monkey-patched sockets, websocket, its gunicorn
    # worker) does not work on today's Python and gunicorn.
    Cut("setup.py", '    entry_points="""', "    ext_modules = [", 5),
    Replace("meinheld/__init__.py", "'1.0.2'", f"'{VERSION}'"),
    Replace("meinheld/__init__.py", "from meinheld import mlogging\n", ""),
    *(
        Drop(f"meinheld/{name}.py")
        for name in ("common", "gmeinheld", "middleware", "mlogging", "msocket", "patch")
    ),
    Drop("meinheld/websocket.py"),
    Replace("meinheld/server/meinheld.h", '"meinheld/1.0.2"', '"pihub"'),
]

CPYTHON: list[Edit] = [
    Replace(
        "meinheld/server/meinheld.h",
        "#include <Python.h>\n",
        "#define PY_SSIZE_T_CLEAN\n#include <Python.h>\n",
    ),
    Replace(
        "meinheld/server/meinheld.h",
        "#include <sys/sendfile.h>\n",
        "#include <sys/uio.h>\n",
    ),
    Replace(TIMER, "PyEval_CallObjectWithKeywords(", "PyObject_Call("),
    Replace(
        TIMER,
        "  Py_TRASHCAN_SAFE_BEGIN(self);\n",
        "  Py_TRASHCAN_BEGIN(self, TimerObject_dealloc);\n",
    ),
    Replace(TIMER, "  Py_TRASHCAN_SAFE_END(self);\n", "  Py_TRASHCAN_END;\n"),
    Replace(SERVER, "  int ret, len;\n", "  int ret;\n  Py_ssize_t len;\n"),
    Replace(SERVER, "ret = unix_listen(path, len);", "ret = unix_listen(path, (int)len);"),
    # "i" wrote four bytes into a uint16_t; the name's str may die before the server.
    Replace(
        SERVER,
        '    if (!PyArg_ParseTuple(o, "si:listen", &server_name, &server_port)) {\n'
        "      return NULL;\n    }\n",
        '    if (!PyArg_ParseTuple(o, "sH:listen", &path, &server_port)) {\n'
        "      return NULL;\n    }\n    server_name = strdup(path);\n",
    ),
    # PyErr_Print() ends the process on SystemExit.
    Replace(LOG, "PyErr_Print();", "PyErr_WriteUnraisable(NULL);", 5),
    # The start-up probe looks for it: an unported build must not serve.
    Replace(
        SERVER,
        '  PyModule_AddObject(m, "timeout", timeout_error);\n',
        '  PyModule_AddObject(m, "timeout", timeout_error);\n'
        '  if (PyModule_AddIntConstant(m, "PIHUB_PORT", 1) < 0 || import_greenlet() < 0) {\n'
        "    INITERROR;\n"
        "  }\n",
    ),
]

GREENLET: list[Edit] = [
    # greenlet 3 returns a new reference; the callers expect a borrowed one, and the
    # child keeps its parent alive.
    Replace(
        GREEN,
        "  return (PyObject *)PyGreenlet_GET_PARENT((PyGreenlet *)g);\n",
        "  PyGreenlet *parent = PyGreenlet_GET_PARENT((PyGreenlet *)g);\n"
        "  Py_XDECREF(parent);\n"
        "  return (PyObject *)parent;\n",
    ),
    Replace(
        GREEN,
        "static inline void import_greenlet(void) {\n  if (!init) {\n    PyGreenlet_Import();\n",
        "int import_greenlet(void) {\n  if (!init) {\n    PyGreenlet_Import();\n"
        "    if (_PyGreenlet_API == NULL) {\n      return -1;\n    }\n",
    ),
    Replace(GREEN, "    init = 1;\n  }\n}\n", "    init = 1;\n  }\n  return 0;\n}\n"),
    Replace(
        "meinheld/server/greensupport.h",
        "// void import_greenlet(void);\n",
        "int import_greenlet(void); /* 0, or -1 with an exception set */\n",
    ),
    # These read greenlet 0.4's struct, or return an int as a pointer; nobody calls them.
    Cut(GREEN, "PyObject *greenlet_setparent(", "PyObject *greenlet_getparent(", 5),
    Cut(GREEN, "int greenlet_dead(PyObject *g) {", "int greenlet_check(PyObject *g)", 9),
    # spawn() no longer leaves a reference behind for the greenlet's end.
    Replace(
        TIMER,
        "      if (greenlet_dead(timer->greenlet)) {\n"
        "        Py_DECREF(timer->greenlet);\n      }\n",
        "",
    ),
]

MEMORY: list[Edit] = [
    # Free lists are for reuse, not for 2 MB of private memory in each idle worker.
    Replace(BUFFER, "#define MAXFREELIST 1024 * 16 * 2\n", "#define MAXFREELIST PIHUB_FREELIST\n"),
    Replace(
        CLIENT, "#define CLIENT_MAXFREELIST 1024\n", "#define CLIENT_MAXFREELIST PIHUB_FREELIST\n"
    ),
    Replace(
        SERVER, "#define CLIENT_MAXFREELIST 1024\n", "#define CLIENT_MAXFREELIST PIHUB_FREELIST\n"
    ),
    Replace(INPUT, "#define IO_MAXFREELIST 1024\n", "#define IO_MAXFREELIST PIHUB_FREELIST\n"),
    Replace(
        REQUEST,
        "#define REQUEST_MAXFREELIST 1024\n",
        "#define REQUEST_MAXFREELIST PIHUB_FREELIST\n",
    ),
    Replace(
        "meinheld/server/http_request_parser.c",
        "#define MAXFREELIST 1024\n",
        "#define MAXFREELIST PIHUB_FREELIST\n",
    ),
    Replace(
        "meinheld/server/meinheld.h",
        "#ifdef DEVELOP\n",
        "#ifdef PIHUB_NO_FREELISTS\n#define PIHUB_FREELIST 0\n#else\n"
        "#define PIHUB_FREELIST 256\n#endif\n\n#ifdef DEVELOP\n",
    ),
    Cut(SERVER, "  ClientObject_list_fill();\n", "  client_key = NATIVE_FROMSTRING(", 7),
    # A shrunken promise or a foreign free() instead of an error.
    Replace(
        BUFFER,
        "  buf->buf_size = buf_size;\n  if (limit) {\n",
        "  if (buf->buf == NULL) {\n    dealloc_buffer(buf);\n    PyErr_NoMemory();\n"
        "    return NULL;\n  }\n  buf->buf_size = buf_size;\n  if (limit) {\n",
    ),
    Replace(BUFFER, "      free(buf->buf);\n", "      PyMem_Free(buf->buf);\n"),
    Replace(BUFFER, "buf->buf_size = (int)(newl + 1);", "buf->buf_size = newl + 1;"),
    Replace(BUFFER, "  buf->len += (int)l;\n", "  buf->len += l;\n"),
    Replace(
        BUFFER, "#define LIMIT_MAX 1024 * 1024 * 1024\n", "#define LIMIT_MAX ((size_t)1 << 31)\n"
    ),
    # What the application may keep after its request: nothing may dangle.
    Replace(
        CLIENT,
        '  return Py_BuildValue("i", self->client->fd);\n',
        "  return PyLong_FromLong(self->client ? self->client->fd : -1);\n",
    ),
    Cut(CLIENT, '    {"set_greenlet", (PyCFunction)', '    {"get_fd", (PyCFunction)', 2),
    Replace(
        CLIENT,
        '    {"set_closed", (PyCFunction)ClientObject_set_closed, METH_VARARGS,\n'
        '     "set response closed"},\n',
        "",
    ),
    Cut(
        CLIENT,
        "static PyObject *ClientObject_set_closed(",
        "static PyMethodDef ClientObject_method[] = {",
        10,
    ),
    Cut(
        REQUEST,
        "void free_request(request *req) {\n",
        "  dealloc_request(req);\n  // PyMem_Free(req);\n",
        4,
        "void free_request(request *req) {\n"
        "  Py_CLEAR(req->environ);\n"
        "  Py_CLEAR(req->client_object);\n"
        "  if (req->path) free_buffer(req->path);\n"
        "  if (req->value) free_buffer(req->value);\n"
        "  if (req->body) free_buffer(req->body);\n"
        "  if (req->spool >= 0) close(req->spool);\n",
    ),
    Replace(
        REQUEST,
        "  request *req = alloc_request();\n",
        "  request *req = alloc_request();\n  if (req == NULL) return NULL;\n",
    ),
    Replace(
        REQUEST,
        "  memset(req, 0, sizeof(request));\n  return req;\n}\n\nvoid free_request",
        "  memset(req, 0, sizeof(request));\n  req->spool = -1;\n"
        "  return req;\n}\n\nvoid free_request",
    ),
    Cut(
        "meinheld/server/request.h",
        "  buffer_t *path;\n",
        "} request;\n",
        17,
        "  buffer_t *path;\n"
        "  char name[256]; /* the field being read */\n"
        "  size_t name_len;\n"
        "  buffer_t *value;\n"
        "  uint32_t num_headers, fields_size;\n"
        "  field_type last_header_element;\n"
        "  uint32_t hosts, lengths, codings; /* how often the field came */\n"
        "  uint8_t head_done, wants_close, wants_keep, wants_continue;\n"
        "  PyObject *environ;\n"
        "  PyObject *client_object; /* environ's `meinheld.client` */\n"
        "  void *next;\n"
        "  int method;\n"
        "  int bad_request_code;\n"
        "  int64_t body_length, body_readed;\n"
        "  buffer_t *body; /* in memory, or */\n"
        "  int spool;      /* in a file; -1 if not */\n"
        "  uintptr_t start_msec;\n",
    ),
    Replace(
        "meinheld/server/client.h",
        "  char *remote_addr;\n  int remote_port;\n",
        "  char remote_addr[64]; /* upstream kept a pointer to inet_ntoa's one buffer */\n"
        "  int remote_port;\n"
        "  PyObject *addr, *port; /* both as text, made for the first request */\n"
        "  uint8_t state;     /* PIHUB_IDLE... */\n"
        "  uint8_t until_close; /* the body ends with the connection */\n"
        "  uint8_t reset;     /* close with a reset */\n"
        "  uint32_t lingered; /* bytes dropped after an error page */\n"
        "  int64_t head_since, body_since;\n"
        "  char *pending; /* bytes behind the current request */\n"
        "  size_t pending_len;\n"
        "  char *held; /* a request whose body is not whole, or (PIHUB_FLUSH) an answer's rest */\n"
        "  size_t held_len, held_done;\n"
        "  struct _client *next, *prev, *next_ready;\n",
    ),
]

EDITS: list[Edit] = [*METADATA, *CPYTHON, *GREENLET, *MEMORY]
