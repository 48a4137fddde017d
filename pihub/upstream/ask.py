"""One question with a JSON answer to a server of the configuration, for a thread that may block.

Whoever answers may be hostile: no redirect is followed (it would lead the hub to addresses that
nobody configured), no proxy of the environment is asked, and the answer has a size, a depth that
Python's parser bears, and a time.
"""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib import request

LARGEST = 4 << 20
PIECE = 64 * 1024


class _Stay(request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """None: the 3xx is an error like any other."""


def ask_json(url: str, body: Any = None, *, timeout: float) -> Any:
    """GET, or POST of `body` as JSON. `timeout` in seconds for each step, twice that for the
    whole answer. Raises OSError and ValueError (also for another scheme than http and https)."""
    data = None if body is None else json.dumps(body).encode()
    asked = request.Request(url, data, {"content-type": "application/json"})  # noqa: S310
    opener = request.OpenerDirector()
    for handler in (
        request.UnknownHandler, request.HTTPHandler, request.HTTPDefaultErrorHandler,
        request.HTTPErrorProcessor, _Stay,
    ):  # fmt: skip
        opener.add_handler(handler())
    if asked.type == "https":
        # Since Python 3.12 it reads all authorities when it is made: 25 ms and 2 MB of RAM.
        opener.add_handler(request.HTTPSHandler())
    end = time.monotonic() + 2 * timeout
    found = bytearray()
    try:
        with opener.open(asked, timeout=timeout) as answer:
            while piece := answer.read1(PIECE):
                found += piece
                if len(found) > LARGEST:
                    raise ValueError(f"more than {LARGEST} bytes")
                if time.monotonic() > end:
                    raise TimeoutError("the answer takes too long")
        return json.loads(found)
    except (http.client.HTTPException, RecursionError) as error:
        raise ValueError(f"no answer of this kind: {type(error).__name__}") from None
