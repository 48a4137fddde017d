/* start_response (PEP 3333): one object for each request. Upstream shares one object
 * between all requests, which let one client's headers reach another. Included by
 * response.c. */

PyObject *create_start_response(client_t *client) {
  ResponseObject *self = PyObject_New(ResponseObject, &ResponseObjectType);
  if (self != NULL) {
    self->cli = client;
  }
  return (PyObject *)self;
}

static void ResponseObject_dealloc(PyObject *self) { PyObject_Free(self); }

static client_t *client_of(PyObject *self) {
  client_t *client = ((ResponseObject *)self)->cli;
  if (client == NULL) {
    PyErr_SetString(PyExc_RuntimeError, "the request is over");
  }
  return client;
}

/* Re-raise what the application is handling: its head is out already. */
static PyObject *raise_again(PyObject *exc_info) {
  PyObject *type, *value, *traceback;
  if (!PyArg_ParseTuple(exc_info, "OOO", &type, &value, &traceback)) {
    return NULL;
  }
  if (traceback == Py_None) {
    traceback = NULL;
  }
  Py_INCREF(type);
  Py_INCREF(value);
  Py_XINCREF(traceback);
  PyErr_Restore(type, value, traceback);
  return NULL;
}

/* "200 OK" to its code; -1 with ValueError set. */
static int status_code_of(const char *text, Py_ssize_t len) {
  if (len >= 3 && is_clean(text, len) && isdigit((unsigned char)text[0]) &&
      isdigit((unsigned char)text[1]) && isdigit((unsigned char)text[2]) &&
      (len == 3 || text[3] == ' ')) {
    int code = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    if (code >= 200) {
      return code;
    }
  }
  PyErr_SetString(PyExc_ValueError, "invalid status line");
  return -1;
}

static PyMethodDef ResponseObject_methods[2];

static PyObject *ResponseObject_call(PyObject *self, PyObject *args, PyObject *kwargs) {
  PyObject *status, *headers, *exc_info = Py_None, *line;
  const char *text;
  Py_ssize_t len;
  int code;
  client_t *client = client_of(self);

  if (client == NULL) {
    return NULL;
  }
  if (PyTuple_GET_SIZE(args) == 2 && PyUnicode_CheckExact(PyTuple_GET_ITEM(args, 0)) &&
      PyList_CheckExact(PyTuple_GET_ITEM(args, 1))) {
    status = PyTuple_GET_ITEM(args, 0);
    headers = PyTuple_GET_ITEM(args, 1);
  } else if (!PyArg_ParseTuple(args, "UO!|O:start_response", &status, &PyList_Type, &headers,
                               &exc_info)) {
    return NULL;
  }
  if (exc_info != Py_None && client->header_done) {
    return raise_again(exc_info);
  }
  if (exc_info == Py_None && client->headers != NULL) {
    PyErr_SetString(PyExc_RuntimeError, "start_response was called before");
    return NULL;
  }
  text = latin1_of(status, "the status", &len);
  if (text == NULL || (code = status_code_of(text, len)) < 0) {
    return NULL;
  }
  line = PyBytes_FromStringAndSize(text, len);
  if (line == NULL) {
    return NULL;
  }
  client->status_code = (uint16_t)code;
  Py_XSETREF(client->http_status, line);
  Py_XSETREF(client->headers, Py_NewRef(headers));
  return PyCFunction_New(&ResponseObject_methods[0], self);
}

static PyObject *ResponseObject_write(PyObject *self, PyObject *data) {
  client_t *client = client_of(self);
  if (client == NULL) {
    return NULL;
  }
  if (!PyBytes_Check(data)) {
    PyErr_SetString(PyExc_TypeError, "write() takes bytes");
    return NULL;
  }
  switch (send_piece(client, PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data))) {
    case PIHUB_SENT:
      Py_RETURN_NONE;
    case PIHUB_GONE:
      client->keep_alive = 0;
      PyErr_SetString(PyExc_ConnectionError, "the client is gone");
      return NULL;
    default:
      return NULL;
  }
}

static PyMethodDef ResponseObject_methods[2] = {
    {"write", ResponseObject_write, METH_O, "Send bytes now (PEP 3333)."}, {NULL}};

PyTypeObject ResponseObjectType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "meinheld.start_response",
    .tp_basicsize = sizeof(ResponseObject),
    .tp_dealloc = ResponseObject_dealloc,
    .tp_call = ResponseObject_call,
    .tp_methods = ResponseObject_methods,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "start_response of one request",
};
