"""The page's files: read once, named by their content, kept in memory both ways.

RAM: each file and its gzip, under 80 KiB in all; `Assets.held` tells.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import falcon

from pihub.dashboard.policy import guard
from pihub.errors import NotFound

PREFIX = "/dashboard/static/"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
IMPORT = re.compile(rb'from "\./([\w.-]+)"')
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    name: str
    """`page.0123456789ab.css`: a changed file has another address, so caches may keep it."""
    kind: str
    plain: bytes
    packed: bytes
    """gzip; empty where it would not be smaller."""
    digest: str


class Assets:
    """All static files of a folder."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError if a file cannot be read, ValueError if its type is unknown."""
        self._by_file: dict[str, Asset] = {}
        for path in sorted(folder.iterdir()):
            self._read(path)
        self._by_name = {one.name: one for one in self._by_file.values()}
        everything = "".join(one.digest for one in self._by_file.values())
        self.build = hashlib.sha256(everything.encode()).hexdigest()[:12]
        """Changes when any file does: an open page then knows that it is old."""

    def _read(self, path: Path) -> Asset:
        """A file after those that it imports, whose names it then carries."""
        if path.name in self._by_file:
            return self._by_file[path.name]
        if path.suffix not in TYPES:
            raise ValueError(f"{path.name}: no content type for {path.suffix}")
        plain = path.read_bytes()
        if path.suffix == ".js":
            plain = IMPORT.sub(lambda found: self._imported(path.parent, found[1]), plain)
        made = asset(path, plain)
        self._by_file[path.name] = made
        return made

    def _imported(self, folder: Path, file: bytes) -> bytes:
        return b'from "./%b"' % self._read(folder / file.decode()).name.encode()

    def url(self, file: str) -> str:
        """The address of a file. Raises KeyError."""
        return PREFIX + self._by_file[file].name

    def get(self, name: str) -> Asset | None:
        return self._by_name.get(name)

    @property
    def held(self) -> int:
        """Bytes of RAM."""
        return sum(len(one.plain) + len(one.packed) for one in self._by_name.values())


def asset(path: Path, plain: bytes) -> Asset:
    """`plain` under the name that its content gives it; the same bytes, the same asset."""
    digest = hashlib.sha256(plain).hexdigest()[:12]
    packed = gzip.compress(plain, 9, mtime=0)
    return Asset(
        f"{path.stem}.{digest}{path.suffix}",
        TYPES[path.suffix],
        plain,
        packed if len(packed) < len(plain) else b"",
        digest,
    )


class StaticFile:
    """GET /dashboard/static/{name}."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        asset = self._assets.get(name)
        if asset is None:
            raise NotFound("no such file; reload the page")
        packed = bool(asset.packed) and accepts_gzip(req.get_header("accept-encoding") or "")
        etag = f'"{asset.digest}{"-gz" if packed else ""}"'
        guard(resp)
        resp.set_header("cache-control", FOR_EVER)
        resp.set_header("vary", "accept-encoding")
        resp.set_header("etag", etag)
        if matches(req.get_header("if-none-match") or "", etag):
            resp.status = falcon.HTTP_304
            return
        resp.content_type = asset.kind
        if packed:
            resp.set_header("content-encoding", "gzip")
        resp.data = asset.packed if packed else asset.plain

    on_head = on_get


def accepts_gzip(header: str) -> bool:
    """Accept-Encoding (RFC 9110, 12.5.3): named and not with weight 0."""
    for part in header.lower().split(","):
        coding, _, rest = part.partition(";")
        if coding.strip() in ("gzip", "x-gzip", "*"):
            return rest.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def matches(header: str, etag: str) -> bool:
    """If-None-Match by the weak comparison (RFC 9110, 13.1.2)."""
    return header.strip() == "*" or etag in tags(header)


def tags(header: str) -> Iterable[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]
