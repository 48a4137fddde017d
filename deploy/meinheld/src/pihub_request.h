/* Running the application on a complete request, in a greenlet of its own, and what becomes
 * of the connection afterwards. Included by pihub_conn.h. */

/* Called in the request's greenlet when its answer is done (or has failed). */
static void conn_finish(client_t *client) {
  evict_waiter(client->fd);
  conn_free_request(client);
  if (!client->keep_alive || (draining && client->pending_len == 0)) {
    int unread = 0;
    if (client->reset) {
      struct linger hard = {.l_onoff = 1, .l_linger = 0};
      setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
      conn_destroy(client);
    } else if (client->pending_len > 0 ||
               (ioctl(client->fd, FIONREAD, &unread) == 0 && unread > 0)) {
      conn_linger(client);
    } else {
      conn_destroy(client);
    }
    return;
  }
  client->header_done = 0;
  client->chunked_response = 0;
  client->content_length_set = 0;
  client->content_length = 0;
  client->write_bytes = 0;
  client->status_code = 0;
  client->until_close = 0;
  client->complete = 0;
  client->state = PIHUB_IDLE;
  http_parser_init(client->http_parser, HTTP_REQUEST);
  if (client->pending_len > 0) {
    client->next_ready = ready;
    ready = client;
  } else {
    conn_await(client);
  }
}

/* The request's greenlet. */
static PyObject *app_handler(PyObject *self, PyObject *pyclient) {
  client_t *client = ((ClientObject *)pyclient)->client;
  PyObject *environ = Py_NewRef(client->current_req->environ);
  PyObject *start, *response = NULL;
  int status = PIHUB_FAILED;

  Py_INCREF(pyclient);
  start = create_start_response(client);
  if (start != NULL) {
    response = PyObject_CallFunctionObjArgs(wsgi_app, environ, start, NULL);
  }
  if (response != NULL) {
    status = send_response(client, response);
  }
  if (status == PIHUB_FAILED && !leaving) {
    call_error_logger();
  }
  PyErr_Clear();
  if (response != NULL && close_response(response) < 0) {
    call_error_logger();
    status = PIHUB_FAILED;
  }
  if (status != PIHUB_SENT) {
    client->keep_alive = 0;
    if (status == PIHUB_FAILED) {
      /* Without a length only a reset tells that the body is not whole. */
      client->reset = client->header_done && client->until_close;
      send_error_page(client, leaving ? 503 : 500);
    }
  }
  if (start != NULL) {
    ((ResponseObject *)start)->cli = NULL;
    Py_DECREF(start);
  }
  Py_XDECREF(response);
  Py_DECREF(environ);
  conn_finish(client);
  Py_DECREF(pyclient);
  Py_RETURN_NONE;
}

static PyMethodDef app_handler_def = {"request", app_handler, METH_O, 0};

static void conn_run(client_t *client) {
  request *req = client->current_req;
  PyObject *greenlet, *args, *result = NULL;

  unwatch(client->fd);
  client->state = PIHUB_BUSY;
  if (!is_keep_alive) {
    client->keep_alive = 0;
  }
  if (pihub_set_input(req) < 0) {
    call_error_logger();
    conn_refuse(client, 500);
    return;
  }
  if (app_handler_func == NULL) {
    app_handler_func = PyCFunction_New(&app_handler_def, NULL);
  }
  args = PyTuple_Pack(1, req->client_object);
  greenlet = greenlet_new(app_handler_func, hub);
  if (args == NULL || greenlet == NULL) {
    call_error_logger();
    conn_refuse(client, 500);
  } else {
    result = greenlet_switch(greenlet, args, NULL);
    if (result == NULL) {
      call_error_logger();
    }
  }
  Py_XDECREF(result);
  Py_XDECREF(args);
  Py_XDECREF(greenlet);
}
