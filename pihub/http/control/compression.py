"""Answers of the control plane compressed where it pays: by type, size, client and load.

Never: streams (live pages flush each event), answers that set a cookie, answers to what is
not a plain read, and pages whose query could be reflected beside a secret (BREACH,
breachattack.com): a form's token and a guess in one compressed body tell each other.
"""

from __future__ import annotations

import importlib
import os
import time
import zlib
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address

import falcon

SMALLEST = 1024
"""Bytes; below, the header costs what the body saves."""
SMALLEST_BUSY = 16 * 1024
"""While the processors are busy."""
LARGEST = 8 * 1024 * 1024
BUSY = 0.8
"""Load average of a minute by processors, above which less is compressed."""
LOOK = 5.0
WORTH = 0.9
"""A kind of answer that does not shrink below this part of itself is left alone ..."""
REST = 64
"""... for so many answers."""
KINDS = ("text/", "application/json", "application/problem+json", "image/svg+xml",
         "application/openmetrics-text", "application/manifest+json")  # fmt: skip

Pack = Callable[[bytes], bytes]


class Compression:
    """Falcon middleware. RAM: a counter for each of at most 64 resources."""

    def __init__(
        self,
        saved: Callable[[int], None],
        load: Callable[[], float] = lambda: os.getloadavg()[0] / (os.cpu_count() or 1),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`saved` gets the bytes that an answer became shorter by."""
        self._saved = saved
        self._load = load
        self._clock = clock
        self._busy = False
        self._looked = float("-inf")
        self._resting: dict[str, int] = {}

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        data = resp.data
        if data is None or resp.stream is not None or not self._may(req, resp, resource):
            return
        if "accept-encoding" not in (resp.get_header("vary") or "").lower():
            resp.append_header("vary", "accept-encoding")
        coding = chosen(req.get_header("accept-encoding") or "")
        if not coding or not self._pays(req, len(data)):
            return
        name = type(resource).__name__ + (req.uri_template or "")
        rest = self._resting.get(name, 0)
        if rest:
            self._resting[name] = rest - 1
            return
        packed = PACKERS[coding](data)
        if len(packed) > len(data) * WORTH:
            if len(self._resting) < 64:
                self._resting[name] = REST
            return
        etag = resp.get_header("etag")
        if etag:
            # Another representation has another strong tag (RFC 9110 section 8.8.3.3).
            resp.set_header("etag", etag if etag.startswith("W/") else f"W/{etag}")
        resp.set_header("content-encoding", coding)
        resp.data = packed
        self._saved(len(data) - len(packed))

    def _may(self, req: falcon.Request, resp: falcon.Response, resource: object) -> bool:
        """Whether this answer may be compressed at all."""
        if resource is None or req.method != "GET" or str(resp.status)[:3] != "200":
            return False
        if resp.get_header("content-encoding"):
            return False
        # Falcon keeps cookies apart, and says nothing of them.
        if getattr(resp, "_cookies", None) or getattr(resp, "_extra_headers", None):
            return False
        kind = resp.content_type or ""
        if kind.startswith("text/event-stream") or not kind.startswith(KINDS):
            return False
        return not (kind.startswith("text/html") and req.query_string)

    def _pays(self, req: falcon.Request, size: int) -> bool:
        now = self._clock()
        if now - self._looked > LOOK:
            self._looked, self._busy = now, self._load() > BUSY
        if size > LARGEST or size < (SMALLEST_BUSY if self._busy else SMALLEST):
            return False
        return not _is_here(req.get_header("x-pihub-forwarded") or "")


def chosen(accept: str) -> str:
    """The coding that the client takes and the hub has: zstd, gzip, or none."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        coding, _, rest = part.partition(";")
        weight = rest.replace(" ", "").removeprefix("q=")
        try:
            weights[coding.strip()] = float(weight) if rest else 1.0
        except ValueError:
            weights[coding.strip()] = 0.0
    best = ""
    for coding in PACKERS:
        if weights.get(coding, weights.get("*", 0.0)) > weights.get(best, 0.0):
            best = coding
    return best


def _is_here(client: str) -> bool:
    """No network lies between: compressing would only cost."""
    if client in ("", "local"):
        return True
    try:
        return ip_address(client).is_loopback
    except ValueError:
        return False


def _gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def _packers() -> dict[str, Pack]:
    """What is installed: zstd of Python 3.14 or its backport; gzip by isal, else zlib."""
    found: dict[str, Pack] = {}
    for name in ("compression.zstd", "backports.zstd"):
        try:
            zstd = importlib.import_module(name)
        except ImportError:
            continue
        found["zstd"] = partial(zstd.compress, level=1)
        break
    try:
        igzip = importlib.import_module("isal.igzip")
        found["gzip"] = partial(igzip.compress, compresslevel=1, mtime=0)
    except ImportError:
        found["gzip"] = _gzip
    return found


PACKERS = _packers()
