#include "response.h"

#include <ctype.h>
#include <strings.h>

#include "http_parser.h"
#include "log.h"
#include "pihub_port.h"

#include "pihub_head_out.h"

/* Write all of `iov`; waits for the client as long as it takes some bytes. */
static int send_all(client_t *client, struct iovec *iov, int count) {
  while (count > 0) {
    ssize_t written;
    /* Never waits: the lock is kept. */
    written = writev(client->fd, iov, count);
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        return PIHUB_GONE;
      }
      if (pihub_wait_writable(client) < 0) {
        PyErr_Clear();
        return PIHUB_GONE;
      }
      continue;
    }
    while (count > 0 && (size_t)written >= iov->iov_len) {
      written -= (ssize_t)iov->iov_len;
      iov++;
      count--;
    }
    if (count > 0) {
      iov->iov_base = (char *)iov->iov_base + written;
      iov->iov_len -= (size_t)written;
    }
  }
  return PIHUB_SENT;
}

/* Head (if not sent yet), then `len` bytes framed as the head says. An empty piece only
 * makes sure that the head is out: as a chunk it would end the body. */
static int send_framed(client_t *client, const char *data, size_t len, int64_t known) {
  struct iovec iov[4];
  head_buffer head;
  char size_line[24];
  int count = 0, status;

  head_init(&head);
  if (!client->header_done) {
    if (build_head(&head, client, known) < 0) {
      head_free(&head);
      return PIHUB_FAILED;
    }
    iov[count].iov_base = head.text;
    iov[count++].iov_len = head.len;
    client->header_done = 1;
  }
  if (has_no_body(client)) {
    len = 0;
  } else if (client->content_length_set) {
    /* Never more than was promised: the rest would be read as the next response. */
    uint64_t room = client->content_length - client->write_bytes;
    if (len > room) {
      len = (size_t)room;
    }
  }
  if (len > 0 && client->chunked_response) {
    iov[count].iov_base = size_line;
    iov[count++].iov_len = (size_t)snprintf(size_line, sizeof(size_line), "%zx\r\n", len);
  }
  if (len > 0) {
    iov[count].iov_base = (char *)data;
    iov[count++].iov_len = len;
    if (client->chunked_response) {
      iov[count].iov_base = "\r\n";
      iov[count++].iov_len = 2;
    }
  }
  status = send_all(client, iov, count);
  if (status == PIHUB_SENT) {
    client->write_bytes += len;
  }
  head_free(&head);
  return status;
}

int send_piece(client_t *client, const char *data, size_t len) {
  return send_framed(client, data, len, -1);
}

/* The next item that is not empty; NULL at the end (no exception) or on an error. */
static PyObject *next_item(PyObject *iterator) {
  PyObject *item;
  while ((item = PyIter_Next(iterator)) != NULL) {
    if (!PyBytes_Check(item)) {
      PyErr_Format(PyExc_TypeError, "a response item must be bytes, not %.100s",
                   Py_TYPE(item)->tp_name);
      Py_DECREF(item);
      return NULL;
    }
    if (PyBytes_GET_SIZE(item) > 0) {
      return item;
    }
    Py_DECREF(item);
  }
  return NULL;
}

static int send_items(client_t *client, PyObject *iterator, int single) {
  PyObject *item;
  int status;
  int64_t known = single ? 0 : -1;

  while ((item = next_item(iterator)) != NULL) {
    if (single) {
      known = PyBytes_GET_SIZE(item);
    }
    status = send_framed(client, PyBytes_AS_STRING(item), (size_t)PyBytes_GET_SIZE(item), known);
    Py_DECREF(item);
    if (status != PIHUB_SENT) {
      return status;
    }
    if (has_no_body(client)) {
      return PIHUB_SENT;
    }
    if (client->content_length_set && client->write_bytes >= client->content_length) {
      return PIHUB_SENT;
    }
  }
  if (PyErr_Occurred()) {
    return PIHUB_FAILED;
  }
  if (!client->header_done) {
    return send_framed(client, NULL, 0, 0);
  }
  return PIHUB_SENT;
}

int send_response(client_t *client, PyObject *response) {
  int single = (PyList_CheckExact(response) && PyList_GET_SIZE(response) == 1) ||
               (PyTuple_CheckExact(response) && PyTuple_GET_SIZE(response) == 1);
  PyObject *iterator = PyObject_GetIter(response);
  int status;

  if (iterator == NULL) {
    return PIHUB_FAILED;
  }
  status = send_items(client, iterator, single && !client->header_done);
  Py_DECREF(iterator);
  if (status != PIHUB_SENT) {
    return status;
  }
  if (client->chunked_response) {
    struct iovec last = {.iov_base = "0\r\n\r\n", .iov_len = 5};
    return send_all(client, &last, 1);
  }
  if (!has_no_body(client) && client->content_length_set &&
      client->write_bytes < client->content_length) {
    /* Closing is how the client learns that the body is incomplete. */
    client->keep_alive = 0;
    PyErr_Format(PyExc_ValueError, "the response body ended %lld bytes before its Content-Length",
                 (long long)(client->content_length - client->write_bytes));
    return PIHUB_FAILED;
  }
  return PIHUB_SENT;
}

int close_response(PyObject *response) {
  PyObject *result;
  if (PyList_CheckExact(response) || PyTuple_CheckExact(response) ||
      !PyObject_HasAttrString(response, "close")) {
    return 0;
  }
  result = PyObject_CallMethod(response, "close", NULL);
  Py_XDECREF(result);
  return result == NULL ? -1 : 0;
}

static const char *reason_of(int status) {
  switch (status) {
    case 400: return "Bad Request";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 417: return "Expectation Failed";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Internal Server Error";
  }
}

char pihub_large_prefix[64] = "", pihub_large_page[PIHUB_LARGE_SIZE] = "";

/* The application's own words for a body that is too large, or NULL. */
static const char *large_page(const client_t *client, int status) {
  const request *req = client->current_req;
  PyObject *path;
  const char *text;
  if (status != 413 || pihub_large_page[0] == '\0' || req == NULL || req->environ == NULL) {
    return NULL;
  }
  path = PyDict_GetItemString(req->environ, "PATH_INFO");
  text = path != NULL && PyUnicode_Check(path) ? PyUnicode_AsUTF8(path) : NULL;
  if (text == NULL) {
    PyErr_Clear();
    return NULL;
  }
  return strncmp(text, pihub_large_prefix, strlen(pihub_large_prefix)) ? NULL : pihub_large_page;
}

void send_error_page(client_t *client, int status) {
  char page[512 + PIHUB_FIXED_SIZE + PIHUB_LARGE_SIZE];
  const char *reason = reason_of(status), *json = large_page(client, status);
  int head = client->current_req && client->current_req->method == HTTP_HEAD;
  int len;

  client->keep_alive = 0;
  if (client->header_done) {
    return; /* in the middle of an answer: only closing is left */
  }
  client->header_done = 1;
  client->status_code = (uint16_t)status;
  len = snprintf(page, sizeof(page),
                 "HTTP/1.1 %d %s\r\nServer: " SERVER "\r\nDate: %.29s\r\n%.*s"
                 "Content-Type: %s; charset=utf-8\r\nContent-Length: %zu\r\n"
                 "Connection: close\r\n\r\n",
                 status, reason, (const char *)http_time, (int)pihub_fixed_len, pihub_fixed,
                 json ? "application/json" : "text/plain", json ? strlen(json) : strlen(reason) + 5);
  if (!head && json) {
    len += snprintf(page + len, sizeof(page) - (size_t)len, "%s", json);
  } else if (!head) {
    len += snprintf(page + len, sizeof(page) - (size_t)len, "%d %s\n", status, reason);
  }
  /* A few hundred bytes: where even they do not fit, the client reads nothing anyway. */
  if (send(client->fd, page, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    return;
  }
}

#include "pihub_start_response.h"
