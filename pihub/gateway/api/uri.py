"""The path and query that go upstream: always below the configured base URL."""

from __future__ import annotations

import re
from typing import Final

from pihub.errors import BadRequest

_UNSAFE_PATH = re.compile(r"[^!$&'()*+,;=:@/~A-Za-z0-9._%-]")
_UNSAFE_QUERY = re.compile(r"[^!$&'()*+,;=:@/~A-Za-z0-9._%?\[\]{}|^`\\-]")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_ESCAPE = re.compile(r"%(?:[01][0-9A-Fa-f]|7[Ff])")
_SEPARATOR = re.compile(r"/|\\|%2[Ff]|%5[Cc]")
_DOT: Final = re.compile(r"%2[Ee]")
_MAX: Final = 8192
"""Longest path and longest query, characters."""


def safe_path(rest: str) -> str:
    """The path after the API's prefix, as it is appended to the base URL's path.

    `rest` is percent-encoded as the client sent it; encoded slashes stay encoded, dot
    segments are resolved. Raises BadRequest for a path that leaves the base, or that
    an upstream might understand as leaving it (dots beside encoded slashes or
    backslashes, `..;`), for control characters and for broken percent-encoding.
    """
    if len(rest) > _MAX:
        raise BadRequest("the path is too long", param="path")
    if not rest or rest == "/":
        return rest
    if _CONTROL.search(rest) or _CONTROL_ESCAPE.search(rest) or _BAD_PERCENT.search(rest):
        raise BadRequest("the path is malformed", param="path")
    if "%2f" in rest or "%2F" in rest or "%5" in rest or "\\" in rest or ";" in rest:
        _refuse_hidden_dots(rest)
    if "/." in rest or "%2" in rest or not rest.startswith("/"):
        rest = _without_dots(rest)
    if rest.startswith("//"):
        # Two slashes at the start would read as an authority.
        rest = "/" + rest.lstrip("/")
    return _UNSAFE_PATH.sub(_encode, rest)


def safe_query(query: str) -> str:
    """The query as it is sent: unsafe characters encoded. Raises BadRequest."""
    if not query:
        return ""
    if len(query) > _MAX or _CONTROL.search(query):
        raise BadRequest("the query is malformed or too long", param="query")
    return _UNSAFE_QUERY.sub(_encode, query)


def _refuse_hidden_dots(rest: str) -> None:
    for segment in rest.split("/"):
        pieces = _SEPARATOR.split(segment)
        for piece in pieces:
            name, parameter, _ = _DOT.sub(".", piece).partition(";")
            if name in (".", "..") and (len(pieces) > 1 or parameter):
                raise BadRequest("the path may leave the API", param="path")


def _without_dots(rest: str) -> str:
    out: list[str] = []
    segments = rest.removeprefix("/").split("/")
    for segment in segments:
        plain = _DOT.sub(".", segment)
        if plain == "..":
            if not out:
                raise BadRequest("the path leaves the API", param="path")
            out.pop()
        elif plain != ".":
            out.append(segment)
    if _DOT.sub(".", segments[-1]) in (".", ".."):
        out.append("")
    return "/" + "/".join(out)


def _encode(match: re.Match[str]) -> str:
    # A WSGI path's characters stand for bytes (latin-1); anything beyond is UTF-8.
    text = match[0]
    data = text.encode("latin-1") if ord(text) < 256 else text.encode("utf-8", "replace")
    return "".join(f"%{byte:02X}" for byte in data)
