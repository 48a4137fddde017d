"""Strict HTTP: the parser refuses what two parsers could understand differently."""

from __future__ import annotations

from edits.kinds import Cut, Edit, Replace

PARSER = "meinheld/server/http_parser.c"
ENVIRON = "meinheld/server/http_request_parser.c"

GRAMMAR: list[Edit] = [
    # Field names and codings are case-insensitive (RFC 9110, 5.1 and RFC 9112, 7): a
    # `transfer-encoding` in lower case went unseen, its body became the next request.
    Replace(
        PARSER,
        '#define TRANSFER_ENCODING "Transfer-Encoding"',
        '#define TRANSFER_ENCODING "transfer-encoding"',
    ),
    Replace(
        PARSER, "ch != TRANSFER_ENCODING[parser->index]", "c != TRANSFER_ENCODING[parser->index]"
    ),
    Replace(PARSER, "ch != CHUNKED[parser->index]", "c != CHUNKED[parser->index]"),
    # Where nothing is matched the name, or the value up to its line's end, is skipped at
    # once; `nread` counts on, its bound is looked at with the next byte.
    Replace(
        PARSER,
        "        if (c) {\n          switch (parser->header_state) {\n"
        "            case h_general:\n              break;\n",
        "        if (c) {\n          switch (parser->header_state) {\n"
        "            case h_general:\n"
        "              while (p + 1 != data + len && TOKEN(p[1])) {\n"
        "                p++;\n                parser->nread++;\n              }\n"
        "              break;\n",
    ),
    Replace(
        PARSER,
        "        c = LOWER(ch);\n\n        switch (parser->header_state) {\n"
        "          case h_general:\n            break;\n",
        "        c = LOWER(ch);\n\n        switch (parser->header_state) {\n"
        "          case h_general:\n"
        "            while (p + 1 != data + len && p[1] != CR && p[1] != LF) {\n"
        "              p++;\n              parser->nread++;\n            }\n"
        "            break;\n",
    ),
    # Any letter passed as the third one of a method ("GEX").
    Replace(
        PARSER,
        "            if (ch == 'S') parser->method = HTTP_UNSUBSCRIBE;\n          }\n",
        "            if (ch == 'S') parser->method = HTTP_UNSUBSCRIBE;\n          }\n"
        "          if (ch != method_strings[parser->method][parser->index]) goto error;\n",
    ),
    # One space each (RFC 9112, 3), no HTTP/0.9, no fragment in a target.
    Replace(
        PARSER,
        "      case s_req_spaces_before_url: {\n        if (ch == ' ') break;\n",
        "      case s_req_spaces_before_url: {\n        if (ch == ' ') goto error;\n",
    ),
    Replace(
        PARSER,
        "            parser->state = s_req_http_H;\n            break;\n"
        "          case ' ':\n            break;\n",
        "            parser->state = s_req_http_H;\n            break;\n",
    ),
    Cut(
        PARSER,
        "            parser->http_major = 0;\n            parser->http_minor = 9;\n",
        "          default:\n"
        "            parser->state = parse_url_char((enum state)parser->state, ch);\n"
        "            if (parser->state == s_dead) {\n              SET_ERRNO(HPE_INVALID_URL);\n"
        "              goto error;\n            }\n        }\n        break;\n      }\n\n"
        "      case s_req_http_start:\n",
        6,
        "            SET_ERRNO(HPE_INVALID_URL);\n            goto error;\n",
    ),
    Replace(
        PARSER,
        "        case '#':\n          return s_req_fragment_start;\n",
        "        case '#':\n          return s_dead;\n",
        2,
    ),
    # A bare LF is no line end (RFC 9112, 2.2 lets a server accept it; proxies differ).
    Replace(
        PARSER,
        "        if (ch == LF) {\n          parser->state = s_header_field_start;\n"
        "          break;\n        }\n\n"
        "        /* XXX allow spaces after digit? */\n",
        "        /* XXX allow spaces after digit? */\n",
    ),
    Cut(
        PARSER,
        "        if (ch == LF) {\n          /* they might be just sending",
        "        c = TOKEN(ch);\n\n        if (!c) {\n"
        "          SET_ERRNO(HPE_INVALID_HEADER_TOKEN);\n"
        "          goto error;\n        }\n\n        MARK(header_field);\n",
        7,
    ),
    # A field needs its colon.
    Cut(
        PARSER,
        "        if (ch == CR) {\n          parser->state = s_header_almost_done;\n"
        "          CALLBACK_DATA(header_field);\n",
        "        SET_ERRNO(HPE_INVALID_HEADER_TOKEN);\n        goto error;\n      }\n\n"
        "      case s_header_value_start: {\n",
        12,
    ),
    Cut(
        PARSER,
        "        if (ch == LF) {\n          parser->state = s_header_field_start;\n"
        "          CALLBACK_DATA(header_value);\n",
        "        c = LOWER(ch);\n\n        switch (parser->header_state) {\n"
        "          case h_upgrade:\n",
        6,
        "        if (ch == LF) goto error;\n\n",
    ),
    Replace(
        PARSER,
        "        if (ch == LF) {\n          parser->state = s_header_almost_done;\n"
        "          CALLBACK_DATA_NOADVANCE(header_value);\n"
        "          goto reexecute_byte;\n        }\n",
        "        if (ch == LF) goto error;\n",
    ),
    # obs-fold (RFC 9112, 5.2).
    Replace(
        PARSER,
        "        if (ch == ' ' || ch == '\\t')\n          parser->state = s_header_value_start;\n"
        "        else {\n          parser->state = s_header_field_start;\n"
        "          goto reexecute_byte;\n        }\n        break;\n",
        "        if (ch == ' ' || ch == '\\t') goto error;\n"
        "        parser->state = s_header_field_start;\n        goto reexecute_byte;\n",
    ),
    # Chunk sizes (RFC 9112, 7.1): the overflow check missed most overflows, bytes above
    # 127 counted as the digit 0, an extension could hold line feeds and be endless.
    Replace(
        PARSER,
        "unhex_val = unhex[(unsigned char)ch];",
        "unhex_val = ch & 0x80 ? -1 : unhex[(unsigned char)ch];",
        2,
    ),
    Replace(
        PARSER,
        "        t = parser->content_length;\n        t *= 16;\n        t += unhex_val;\n\n"
        "        /* Overflow? */\n        if (t < parser->content_length || t == ULLONG_MAX) {\n",
        "        t = parser->content_length;\n        t *= 16;\n        t += unhex_val;\n\n"
        "        /* Overflow? */\n        if (parser->content_length >= ((uint64_t)1 << 56)) {\n",
    ),
    Replace(PARSER, "          if (ch == ';' || ch == ' ') {\n", "          if (ch == ';') {\n"),
    Replace(
        PARSER,
        "          parser->state = s_chunk_size_almost_done;\n          break;\n        }\n"
        "        break;\n      }\n",
        "          parser->state = s_chunk_size_almost_done;\n          break;\n        }\n"
        "        if ((unsigned char)ch < 0x20 && ch != '\\t') goto error;\n"
        "        if (parser->nread > 512) goto error;\n        break;\n      }\n",
    ),
    # Digits only; the check of the whole value is ours.
    Replace(
        PARSER,
        "            if (ch == ' ') break;\n\n            if (!IS_NUM(ch)) {\n",
        "            if (ch == ' ' || ch == '\\t') break;\n\n            if (!IS_NUM(ch)) {\n",
    ),
    Replace(
        PARSER,
        "            if (t < parser->content_length || t == ULLONG_MAX) {\n",
        "            if (parser->content_length >= ((uint64_t)1 << 59)) {\n",
    ),
    Replace(
        PARSER,
        "          if (parser->set_content_length == 1 && parser->flags & F_CHUNKED) {\n"
        "            return -1;\n          }\n\n",
        "",
    ),
]

CALLBACKS: list[Edit] = [
    Replace(
        ENVIRON,
        '#include "util.h"\n',
        '#include "util.h"\n#include "pihub_port.h"\n\n#include <ctype.h>\n',
    ),
    Replace(
        ENVIRON,
        "static PyObject *query_string_key;\n",
        "static PyObject *query_string_key;\nstatic PyObject *raw_uri_key;\n",
    ),
    Replace(
        ENVIRON,
        '  query_string_key = NATIVE_FROMSTRING("QUERY_STRING");\n',
        '  query_string_key = NATIVE_FROMSTRING("QUERY_STRING");\n'
        '  raw_uri_key = NATIVE_FROMSTRING("RAW_URI");\n',
    ),
    Replace(
        ENVIRON,
        "  Py_DECREF(query_string_key);\n",
        "  Py_DECREF(query_string_key);\n  Py_DECREF(raw_uri_key);\n",
    ),
    Replace(ENVIRON, "  file_wrapper_val = PyCFunction_New(&method, NULL);\n", ""),
    Replace(ENVIRON, "  Py_DECREF(file_wrapper_val);\n", ""),
    Replace(ENVIRON, "static PyObject *file_wrapper_val;\n", ""),
    Cut(
        ENVIRON,
        'static PyMethodDef method = {"file_wrapper", (PyCFunction)file_wrapper,\n',
        "int init_parser(client_t *cli,",
        3,
    ),
    # Our own reading of target, fields and body.
    Cut(
        ENVIRON,
        "static int hex2int(int i) {\n",
        "static int replace_env_key(PyObject *dict, PyObject *old_key,\n",
        65,
    ),
    Cut(
        ENVIRON,
        "static int set_query(PyObject *env, char *buf, int len) {\n",
        "static PyObject *get_http_header_key(const char *s, int len) {\n",
        92,
    ),
    Cut(
        ENVIRON,
        "static void key_upper(char *s, const char *key, size_t len) {\n",
        "static http_parser_settings settings = {\n",
        440,
        '#include "pihub_head_in.h"\n#include "pihub_body.h"\n\n',
    ),
    # One copied dict with interned keys instead of thirty insertions and as many new keys.
    Cut(
        ENVIRON,
        "PyObject *new_environ(client_t *client) {\n",
        "static http_parser_settings settings = {\n",
        85,
        '#include "pihub_environ.h"\n#include "pihub_head_in.h"\n#include "pihub_body.h"\n\n',
    ),
    Replace(ENVIRON, "NATIVE_FROMSTRING(", "PyUnicode_InternFromString(", 49),
    Replace(
        ENVIRON,
        "  Py_DECREF(empty_string);\n",
        "  Py_CLEAR(environ_template);\n  Py_DECREF(empty_string);\n",
    ),
    Replace(
        "meinheld/server/input.h",
        "void InputObject_list_clear(void);\n",
        "void InputObject_list_clear(void);\n\n"
        "/* wsgi.input and CONTENT_LENGTH of a complete request */\n"
        "int pihub_set_input(request *req);\n",
    ),
]

EDITS: list[Edit] = [*GRAMMAR, *CALLBACKS]
