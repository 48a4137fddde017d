# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Rendered answers in the cache: packing them, their keys, their headers as Python lists.

Promise   what pack_wire took is what the edge sends, and no header can be smuggled in.
Layout    include/ph_wire.h
Cost      a known head: one XXH3 and one compare of its bytes.
Failure   whatever does not parse is no answer. RAM: 64 rows of at most 9 KiB and a list.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeLatin1
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

import re
from http import HTTPStatus

cdef enum:
    ROWS = 64

cdef frozenset OWN = frozenset(
    (b"content-type", b"content-length", b"x-pihub-request-id", b"x-pihub-cache", b"x-pihub-cost")
)
cdef frozenset SERVERS = frozenset(
    ("connection", "date", "keep-alive", "server", "transfer-encoding", "upgrade")
)
cdef object TOKEN = re.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch   # RFC 9110, 5.6.2
cdef object UNCLEAN = re.compile("[\x00-\x08\x0a-\x1f\x7f]").search
cdef tuple HEADER_HIT = ("x-pihub-cache", "HIT; exact")
cdef tuple HEADER_FREE = ("x-pihub-cost", "0")


def wire_key(bytes secret not None, uint64_t epoch, uint64_t route, bytes body not None):
    cdef uint64_t h1, h2
    if PyBytes_GET_SIZE(secret) != 32:
        raise ValueError("the secret has 32 bytes")
    ph_wire_hash(
        ph_wire_seed(<const uint8_t *> PyBytes_AS_STRING(secret), epoch, route),
        <const uint8_t *> PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body), &h1, &h2,
    )
    return h1, h2


def minify(bytes text not None):
    cdef bytes out = PyBytes_FromStringAndSize(NULL, PyBytes_GET_SIZE(text))
    cdef size_t n = ph_minify(
        <const uint8_t *> PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text),
        <uint8_t *> PyBytes_AS_STRING(out),
    )
    return out[:n]


def sorted_members(bytes text not None):
    cdef bytes out = PyBytes_FromStringAndSize(NULL, PyBytes_GET_SIZE(text))
    cdef int64_t model, model_len
    cdef size_t n = ph_sorted(
        <const uint8_t *> PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text),
        <uint8_t *> PyBytes_AS_STRING(out), &model, &model_len,
    )
    return out[:n], text[model:model + model_len] if model >= 0 else None


cdef bytes alias_of(uint64_t h1, uint64_t h2):
    """The value under another spelling's key."""
    cdef ph_alias a
    memset(&a, 0, sizeof(a))
    a.magic = PH_ALIAS_MAGIC
    a.h1 = h1
    a.h2 = h2
    return PyBytes_FromStringAndSize(<char *> &a, sizeof(a))


cdef bytes header_part(bytes name, bytes value):
    if not name or b"\r" in name + value or b"\n" in name + value:
        raise ValueError("a header has no name, or a line break")
    if len(name) > PH_WIRE_BLOCK or len(value) > PH_WIRE_BLOCK:
        raise ValueError("a header is too long")
    return len(name).to_bytes(2, "little") + len(value).to_bytes(2, "little") + name + value


def pack_wire(
    int status, bytes content_type not None, list headers not None, bytes body not None, *,
    uint16_t model, uint16_t upstream, uint16_t alias, bint stream, int64_t saved_nano,
    in_tok, out_tok, bint simulated=False, uint64_t look=0,
):
    cdef ph_wire w
    if not 200 <= status <= 599:
        raise ValueError(f"bad status {status}")
    if b"\r" in content_type or b"\n" in content_type:
        raise ValueError("a line break in the content type")
    pairs = [header_part(name, value) for name, value in headers if name.lower() not in OWN]
    block = content_type + b"".join(pairs)
    if len(pairs) > 255 or len(block) > PH_WIRE_BLOCK:
        raise ValueError(f"{len(pairs)} headers of {len(block)} bytes are too many")
    memset(&w, 0, sizeof(w))
    w.magic = PH_WIRE_MAGIC
    w.status = status
    w.n_headers = len(pairs)
    w.flags = (PH_WIRE_STREAM if stream else 0) | (PH_WIRE_SIMULATED if simulated else 0)
    w.model = model
    w.upstream = upstream
    w.alias = alias
    w.ctype_len = len(content_type)
    w.saved_nano = saved_nano
    w.in_tok = min(in_tok, 0xFFFFFFFF)
    w.out_tok = min(out_tok, 0xFFFFFFFF)
    w.block_len = len(block)
    w.body_len = len(body)
    w.look = look
    return PyBytes_FromStringAndSize(<char *> &w, sizeof(w)) + block + body


@cython.final
cdef class Heads:
    """Heads(): entry heads to header lists, direct-mapped. Few forms serve most hits."""

    def __cinit__(self):
        self.rows = [None] * ROWS

    cdef list of(self, const ph_wire *w, const uint8_t *block):
        # The key is all that the headers depend on: status, count, lengths and the block.
        cdef uint32_t[4] facts = [w.status, w.n_headers, w.ctype_len, w.body_len]
        cdef uint64_t seed = <uint64_t> w.body_len << 16 | w.status
        cdef uint64_t row = ph_wire_memo(block, w.block_len, seed) & (ROWS - 1)
        cdef object entry = self.rows[row]
        cdef bytes known
        if entry is not None:
            known = (<list> entry)[0]
            if (
                PyBytes_GET_SIZE(known) == <Py_ssize_t> (sizeof(facts) + w.block_len)
                and memcmp(PyBytes_AS_STRING(known), facts, sizeof(facts)) == 0
                and memcmp(PyBytes_AS_STRING(known) + sizeof(facts), block, w.block_len) == 0
            ):
                return <list> entry
        if not ph_wire_ok(w, block, sizeof(ph_wire) + <uint64_t> w.block_len + w.body_len):
            return None
        known = (
            PyBytes_FromStringAndSize(<char *> facts, sizeof(facts))
            + PyBytes_FromStringAndSize(<char *> block, w.block_len)
        )
        try:
            line = f"{w.status} {HTTPStatus(w.status).phrase}"
        except ValueError:
            line = f"{w.status} Unknown"
        headers = headers_of(w, block)
        entry = [known, line, headers, lines_of(w.status, line, headers)]
        self.rows[row] = entry
        return entry


cdef tuple lines_of(int status, str line, list headers):
    """Status line and header lines as the server would send them; None where it would not:
    it judges names and values, frames the message, owns the connection."""
    if status in (204, 304):
        return None
    lines = []
    for name, value in headers[1:]:
        if name.lower() in SERVERS or not TOKEN(name) or UNCLEAN(value):
            return None
        lines.append(f"{name}: {value}\r\n")
    return line.encode("ascii"), "".join(lines).encode("latin-1")


cdef list headers_of(const ph_wire *w, const uint8_t *block):
    """The list of a block that ph_wire_ok accepted."""
    cdef uint32_t at = w.ctype_len
    cdef uint16_t[2] size
    cdef int _
    headers = [
        None,   # the request id of the answer that copies this list
        ("content-type", PyUnicode_DecodeLatin1(<const char *> block, at, NULL)),
        ("content-length", str(w.body_len)),
        HEADER_HIT,
        HEADER_FREE,
    ]
    for _ in range(w.n_headers):
        memcpy(size, block + at, sizeof(size))
        at += sizeof(size)
        name = PyUnicode_DecodeLatin1(<const char *> block + at, size[0], NULL)
        at += size[0]
        headers.append((name, PyUnicode_DecodeLatin1(<const char *> block + at, size[1], NULL)))
        at += size[1]
    return headers


@cython.final
cdef class Refusal:
    """Refusal(status line, headers, body before the request id, body after it): see edge.pyi."""

    def __cinit__(
        self, str line not None, list headers not None, bytes prefix not None, bytes suffix
    ):
        own = ("content-length", "x-pihub-request-id", "retry-after")
        kept = [(name, value) for name, value in headers if name.lower() not in own]
        size = len(prefix) if suffix is None else len(prefix) + 16 + len(suffix)
        self.line = line
        self.status = int(line[:3])
        self.headers = [(name, value) for name, value in kept if value is not None]
        self.headers.append(("content-length", str(size)))
        self.ids = ("x-pihub-request-id", *[name for name, value in kept if value is None])
        self.prefix = prefix
        self.suffix = suffix
