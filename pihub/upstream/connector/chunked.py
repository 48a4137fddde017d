"""Incremental decoder of the chunked transfer coding (RFC 9112 section 7.1)."""

from __future__ import annotations

import re
from typing import Final

from pihub.errors import UpstreamProtocol
from pihub.shared.httphead import fields_only

_LINE: Final = 1024
"""Longest chunk-size line, extensions included."""
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")

_IN_SIZE: Final = 0
_IN_DATA: Final = 1
_IN_END: Final = 2
_IN_TRAILERS: Final = 3


class ChunkedDecoder:
    """Bytes of the body out of bytes of the connection; those may split anywhere.

    RAM: what `feed` was given, plus at most one size line or `max_trailers` bytes.
    """

    __slots__ = ("_left", "_max_trailers", "_rest", "_state", "_trailed", "done", "excess")

    def __init__(self, max_trailers: int) -> None:
        self._state = _IN_SIZE
        self._left = 0
        self._rest = b""
        self._trailed = 0
        self._max_trailers = max_trailers
        self.done = False
        self.excess = b""
        """What followed the end of the body; only after `done`."""

    def feed(self, data: bytes) -> bytes:
        """The body bytes that `data` completes. Raises UpstreamProtocol."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        out: list[bytes] = []
        pos = 0
        size = len(data)
        while pos < size and not self.done:
            state = self._state
            if state == _IN_DATA:
                end = pos + self._left
                if end > size:
                    out.append(data[pos:])
                    self._left = end - size
                    return out[0] if len(out) == 1 else b"".join(out)
                out.append(data[pos:end])
                pos = end
                self._state = _IN_END
            elif state == _IN_END:
                if size - pos < 2:
                    if data[pos] != 13:
                        raise UpstreamProtocol("the upstream sent a malformed chunk")
                    break
                if data[pos : pos + 2] != b"\r\n":
                    raise UpstreamProtocol("the upstream sent a malformed chunk")
                pos += 2
                self._state = _IN_SIZE
            elif state == _IN_SIZE:
                end = data.find(b"\r\n", pos, pos + _LINE)
                if end < 0:
                    self._check_size_start(data, pos)
                    break
                match = _SIZE.fullmatch(data, pos, end)
                if match is None:
                    raise UpstreamProtocol("the upstream sent a bad chunk size")
                self._left = int(match[1], 16)
                self._state = _IN_DATA if self._left else _IN_TRAILERS
                pos = end + 2
            else:
                pos = self._trailers(data, pos)
                if not self.done:
                    break
        if self.done:
            self.excess = data[pos:]
        else:
            self._rest = data[pos:]
        return out[0] if len(out) == 1 else b"".join(out)

    def _check_size_start(self, data: bytes, pos: int) -> None:
        # An endless or garbled size line fails at once instead of at a timer.
        part = data[pos : pos + _LINE]
        if len(part) >= _LINE or b"\n" in part:
            raise UpstreamProtocol("the upstream sent a bad chunk size")
        if not _SIZE.fullmatch(part.removesuffix(b"\r")):
            raise UpstreamProtocol("the upstream sent a bad chunk size")

    def _trailers(self, data: bytes, pos: int) -> int:
        while True:
            end = data.find(b"\r\n", pos)
            self._check_trailer_bound((len(data) if end < 0 else end) - pos)
            if end < 0:
                if b"\n" in data[pos:]:
                    raise UpstreamProtocol("the upstream sent malformed trailers")
                return pos
            if end == pos:
                self.done = True
                return pos + 2
            if not fields_only(data[pos : end + 2]):
                raise UpstreamProtocol("the upstream sent malformed trailers")
            self._trailed += end + 2 - pos
            pos = end + 2

    def _check_trailer_bound(self, more: int) -> None:
        if self._trailed + more > self._max_trailers:
            raise UpstreamProtocol("the upstream's trailers are too large")
