"""Newline-delimited JSON (application/x-ndjson): bytes to lines, byte-exact."""

from __future__ import annotations

from pihub.errors import UpstreamProtocol

MAX_LINE = 8 * 1024 * 1024
"""Bytes of one line: the RAM that one broken upstream can make a stream hold."""


class NDJSONSplitter:
    """Incremental splitter into lines, line ends included; bytes may be cut anywhere."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes. Raises UpstreamProtocol beyond MAX_LINE."""
        rest = self._rest
        last = data.rfind(b"\n") + 1
        if not last:
            rest += data
            if len(rest) > MAX_LINE:
                raise UpstreamProtocol("a line of the upstream's stream is too large")
            return []
        whole = data[:last]
        if rest:
            rest += whole
            whole = bytes(rest)
            rest.clear()
        rest += data[last:]
        lines = whole.split(b"\n")
        lines.pop()
        return [line + b"\n" for line in lines]

    def eof(self) -> list[bytes]:
        """The unterminated last line, if there is one."""
        last = bytes(self._rest)
        self._rest.clear()
        return [last] if last else []
