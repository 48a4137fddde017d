/* Collecting a request's body: in memory up to client_body_buffer_size, beyond that in a
 * file without a name. RAM for each request: at most client_body_buffer_size (twice that
 * for a moment while a chunked body's buffer grows). Included by http_request_parser.c. */

static int open_spool(void) {
  const char *folder = getenv("TMPDIR");
  char path[512];
  int fd;
  if (folder == NULL || folder[0] == '\0') {
    folder = "/tmp";
  }
#ifdef O_TMPFILE
  fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) {
    return fd;
  }
#endif
  snprintf(path, sizeof(path), "%s/pihub-body-XXXXXX", folder);
  fd = mkostemp(path, O_CLOEXEC);
  if (fd >= 0) {
    unlink(path);
  }
  return fd;
}

static int write_spool(request *req, const char *data, size_t len) {
  while (len > 0) {
    ssize_t written = write(req->spool, data, len);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return refuse(req, 503); /* the disk is full: nothing that the client can mend */
    }
    data += written;
    len -= (size_t)written;
  }
  return 0;
}

static int to_spool(request *req) {
  req->spool = open_spool();
  if (req->spool < 0) {
    return refuse(req, 503);
  }
  if (req->body != NULL) {
    int status = write_spool(req, req->body->buf, req->body->len);
    free_buffer(req->body);
    req->body = NULL;
    return status;
  }
  return 0;
}

static int body_cb(http_parser *p, const char *data, size_t len) {
  request *req = get_current_request(p);
  uint64_t total = (uint64_t)req->body_readed + len;

  if (total > max_content_length) {
    return refuse(req, 413);
  }
  if (req->spool < 0 && (total > (uint64_t)client_body_buffer_size ||
                         req->body_length > client_body_buffer_size)) {
    if (to_spool(req) < 0) {
      return -1;
    }
  }
  if (req->spool >= 0) {
    if (write_spool(req, data, len) < 0) {
      return -1;
    }
  } else {
    if (req->body == NULL) {
      req->body = new_buffer(req->body_length > 0 ? (size_t)req->body_length + 1 : len + 1, 0);
    }
    if (req->body == NULL || write2buf(req->body, data, len) != WRITE_OK) {
      PyErr_Clear();
      return refuse(req, 503);
    }
  }
  req->body_readed = (int64_t)total;
  return 0;
}

/* Pause: what follows in the buffer is the next request, which waits for its turn. */
static int message_complete_cb(http_parser *p) {
  get_client(p)->complete = 1;
  http_parser_pause(p, 1);
  return 0;
}

/* wsgi.input and CONTENT_LENGTH of the complete request. 0, or -1 with an exception. */
int pihub_set_input(request *req) {
  PyObject *input, *length;
  int status;

  if (req->spool >= 0) {
    if (lseek(req->spool, 0, SEEK_SET) < 0) {
      PyErr_SetFromErrno(PyExc_OSError);
      return -1;
    }
    input = PyFile_FromFd(req->spool, NULL, "rb", -1, NULL, NULL, NULL, 1);
    if (input != NULL) {
      req->spool = -1; /* the file object closes it */
    }
  } else {
    if (req->body == NULL && (req->body = new_buffer(1, 0)) == NULL) {
      return -1;
    }
    input = InputObject_New(req->body);
    if (input != NULL) {
      req->body = NULL;
    }
  }
  if (input == NULL) {
    return -1;
  }
  status = PyDict_SetItem(req->environ, wsgi_input_key, input);
  Py_DECREF(input);
  if (status == 0 && req->codings) {
    length = PyUnicode_FromFormat("%lld", (long long)req->body_readed);
    status = length ? PyDict_SetItem(req->environ, content_length_key, length) : -1;
    Py_XDECREF(length);
  }
  return status;
}
