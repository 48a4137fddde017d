/* The request target: PATH_INFO, QUERY_STRING, RAW_URI. Included by pihub_head_in.h. */

static int hex_digit(unsigned char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int set_latin1(PyObject *environ, PyObject *key, const char *text, size_t len) {
  PyObject *value = PyUnicode_DecodeLatin1(text, (Py_ssize_t)len, NULL);
  int status = value == NULL ? -1 : PyDict_SetItem(environ, key, value);
  Py_XDECREF(value);
  return status;
}

/* PATH_INFO is decoded once (twice would let %252e%252e pass a check as text), NUL and
 * half escapes are refused. RAW_URI keeps the target as it came. */
static int set_target(http_parser *p, request *req) {
  char *text = req->path->buf, *to = text;
  size_t len = req->path->len, end, i;
  const char *mark;

  if (len == 0 || !(text[0] == '/' || (len == 1 && text[0] == '*' && p->method == HTTP_OPTIONS))) {
    return refuse(req, 400); /* absolute-form: this is no forward proxy */
  }
  mark = memchr(text, '?', len);
  end = mark ? (size_t)(mark - text) : len;
  if (set_latin1(req->environ, raw_uri_key, text, len) < 0 ||
      set_latin1(req->environ, query_string_key, text + end + (mark != NULL),
                 len - end - (mark != NULL)) < 0) {
    PyErr_Clear();
    return refuse(req, 500);
  }
  for (i = 0; i < end; i++) {
    int c = (unsigned char)text[i];
    if (c == '%') {
      int high = i + 2 < end ? hex_digit((unsigned char)text[i + 1]) : -1;
      int low = i + 2 < end ? hex_digit((unsigned char)text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return refuse(req, 400);
      }
      c = high * 16 + low;
      i += 2;
    }
    if (c == 0) {
      return refuse(req, 400);
    }
    *to++ = (char)c;
  }
  if (set_latin1(req->environ, path_info_key, text, (size_t)(to - text)) < 0) {
    PyErr_Clear();
    return refuse(req, 500);
  }
  return 0;
}
