"""Server-sent events: bytes to events, byte-exact.

Source: WHATWG HTML, 9.2.6 "Interpreting an event stream". Lines end with CRLF, LF or
CR; one leading BOM; comments start with a colon; one space after the colon of a field
is dropped; several `data` lines are joined by LF. Bytes may be cut anywhere.
"""

from __future__ import annotations

import re

import msgspec

from pihub.errors import UpstreamProtocol

MAX_EVENT = 8 * 1024 * 1024
"""Bytes of one event: the RAM that one broken upstream can make a stream hold."""

_BLANK = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_EOL = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


def ping(note: str) -> bytes:
    """A comment: clients ignore it, and connections stay open."""
    return b": %s\n\n" % (_EOL.sub(b" ", note.encode("utf-8", "replace")) or b"ping")


class SSEvent(msgspec.Struct, frozen=True, gc=False):
    """`raw` is all of its bytes; `data` is None if it has no data line."""

    raw: bytes
    data: bytes | None
    name: bytes
    comment: bool


class SSESplitter:
    """Incremental splitter. `raw` of all events joined are the bytes that were fed."""

    __slots__ = ("_rest", "_scanned", "_started")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._scanned = 0
        self._started = False

    def feed(self, data: bytes) -> list[SSEvent]:
        """The events that `data` completes. Raises UpstreamProtocol beyond MAX_EVENT."""
        rest = self._rest
        if rest:
            rest += data
            if _find(rest, self._scanned) is None:
                self._scanned = max(0, len(rest) - 3)
                self._check(len(rest))
                return []
            data = bytes(rest)
            rest.clear()
        events: list[SSEvent] = []
        position = 0
        if b"\r" in data:
            while (match := _BLANK.search(data, position)) is not None:
                events.append(self._event(data[position : match.end()]))
                position = match.end()
        else:
            while (end := data.find(b"\n\n", position)) >= 0:
                events.append(self._event(data[position : end + 2]))
                position = end + 2
        if position < len(data):
            rest += data[position:]
            self._check(len(rest))
        self._scanned = max(0, len(rest) - 3)
        return events

    def eof(self) -> list[SSEvent]:
        """The unterminated last event, if there is one.

        The specification would discard it; upstreams exist that end a complete last
        event with a single line end, and a cut one fails to parse anyway.
        """
        last = bytes(self._rest)
        self._rest.clear()
        return [self._event(last)] if last else []

    def _check(self, size: int) -> None:
        if size > MAX_EVENT:
            raise UpstreamProtocol("an event of the upstream's stream is too large")

    def _event(self, raw: bytes) -> SSEvent:
        if self._started:
            if raw.startswith(b"data: ") and raw.find(b"\n", 6) == len(raw) - 2:
                if b"\r" not in raw:
                    return SSEvent(raw, raw[6:-2], b"", False)
            elif raw.startswith(b"event: ") and b"\r" not in raw:
                first = raw.find(b"\n")
                if raw.startswith(b"data: ", first + 1):
                    second = raw.find(b"\n", first + 7)
                    if second == len(raw) - 2:
                        return SSEvent(raw, raw[first + 7 : -2], raw[7:first], False)
        text = raw
        if not self._started:
            self._started = True
            text = raw.removeprefix(_BOM)
        return _parse(raw, text)


def _find(buffer: bytearray, start: int) -> int | None:
    match = _BLANK.search(buffer, start)
    return None if match is None else match.start()


def _parse(raw: bytes, text: bytes) -> SSEvent:
    data: list[bytes] = []
    name = b""
    comment = False
    for line in _EOL.split(text):
        if not line:
            continue
        field, _, value = line.partition(b":")
        if not field:
            comment = True
            continue
        if value.startswith(b" "):
            value = value[1:]
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return SSEvent(raw, b"\n".join(data) if data else None, name, comment and not data)
