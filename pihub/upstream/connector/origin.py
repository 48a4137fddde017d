"""Where an upstream lives: scheme, host and port, parsed once from its URL."""

from __future__ import annotations

import re
import socket
from typing import Final
from urllib.parse import urlsplit

from pihub.errors import ConfigError

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?")
_PATH = re.compile(r"[!$-;=@-Z_a-z~&']*")


class Origin:
    """One upstream server. Immutable; equal by scheme, host, port and `ca_file`.

    `host` is a lower-case name, a numeric address (IPv6 without brackets), or the
    socket's path for the scheme `unix`. `ca_file` is a PEM bundle that replaces the
    system's authorities. `name` is what logs and statistics call it.
    """

    __slots__ = (
        "_hash",
        "ca_file",
        "family",
        "host",
        "host_line",
        "key",
        "name",
        "port",
        "scheme",
    )

    scheme: str
    host: str
    port: int
    ca_file: str
    name: str
    key: str
    """Text that identifies the origin; the name of its connection pool."""
    host_line: str
    """The Host header's line as it is sent, with its line end."""
    family: int
    """AF_INET, AF_INET6 or AF_UNIX for an address that needs no look-up, else 0."""
    _hash: int

    def __init__(
        self, scheme: str, host: str, port: int, ca_file: str = "", name: str = ""
    ) -> None:
        put = object.__setattr__
        put(self, "scheme", scheme)
        put(self, "host", host)
        put(self, "port", port)
        put(self, "ca_file", ca_file)
        put(self, "family", _family(scheme, host))
        authority = _authority(scheme, host, port)
        put(self, "name", name or authority)
        put(self, "key", f"{scheme}://{host}|{port}|{ca_file}")
        put(self, "host_line", f"host: {'localhost' if scheme == 'unix' else authority}\r\n")
        put(self, "_hash", hash(self.key))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Origin is immutable: {name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origin) and self.key == other.key

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Origin({self.key!r})"

    @property
    def authority(self) -> str:
        """`host` or `host:port` as it stands in a URL."""
        return _authority(self.scheme, self.host, self.port)

    @staticmethod
    def parse(url: str, *, ca_file: str = "", name: str = "") -> tuple[Origin, str]:
        """`http://…`, `https://…` or `unix:/path` to the origin and its base path.

        The base path has no trailing slash ("" for the root). Raises ConfigError for
        other schemes, a user in the URL, a query, a fragment or a bad host or port.
        """
        if url.startswith("unix:"):
            path = url[5:]
            if path.startswith("//"):
                path = path[2:]
            if not path.startswith("/") or "\0" in path or len(path.encode()) > 107:
                raise ConfigError(f"not a unix socket's absolute path: {url!r}")
            return Origin("unix", path, 0, ca_file, name), ""
        if not url.isprintable():
            # urlsplit would silently drop line breaks.
            raise ConfigError(f"not a URL: {url!r}")
        try:
            parts = urlsplit(url)
            port = parts.port
            host = parts.hostname or ""
        except ValueError as err:
            raise ConfigError(f"not a URL: {url!r}") from err
        if parts.scheme not in _DEFAULT_PORTS:
            raise ConfigError(f"a URL must begin with http://, https:// or unix:/ : {url!r}")
        if parts.username is not None or parts.password is not None:
            raise ConfigError("a URL must not hold a user or a password: use api_key_env")
        if parts.query or parts.fragment or "?" in url or "#" in url:
            raise ConfigError(f"a base URL must not have a query or a fragment: {url!r}")
        if not host.isascii():
            try:
                host = host.encode("idna").decode("ascii")
            except UnicodeError as err:
                raise ConfigError(f"not a host name: {host!r}") from err
        if not _numeric(host) and not _HOST.fullmatch(host):
            raise ConfigError(f"not a host name: {host!r}")
        if port == 0:
            raise ConfigError(f"not a port: {url!r}")
        if not _PATH.fullmatch(parts.path) or "//" in parts.path:
            raise ConfigError(f"not a URL path: {parts.path!r}")
        if any(part in (".", "..") for part in parts.path.split("/")):
            raise ConfigError(f"a base URL must not hold dot segments: {url!r}")
        origin = Origin(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], ca_file, name)
        return origin, parts.path.rstrip("/")


def _numeric(host: str) -> int:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return int(family)
    return 0


def _family(scheme: str, host: str) -> int:
    return int(socket.AF_UNIX) if scheme == "unix" else _numeric(host)


def _authority(scheme: str, host: str, port: int) -> str:
    if scheme == "unix":
        return f"unix:{host}"
    shown = f"[{host}]" if ":" in host else host
    return shown if port == _DEFAULT_PORTS[scheme] else f"{shown}:{port}"
