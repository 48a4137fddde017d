"""Listen addresses and URLs, as far as they can be judged without asking anybody."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?")


def parse_listen(text: str) -> tuple[str, int]:
    """(host, port) of "127.0.0.1:8080" or "[::1]:8080"; raises ValueError."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError('must be ADDRESS:PORT, such as "127.0.0.1:8080"')
    if not host:
        raise ValueError(f'names no address: write "127.0.0.1:{port}" or "0.0.0.0:{port}"')
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError(f"{host} is no IPv6 address") from None
    elif ":" in host:
        raise ValueError(f'an IPv6 address stands in brackets: "[{host}]:{port}"')
    elif not _HOST.fullmatch(host):
        raise ValueError(f"{host} is neither an address nor a host name")
    return host, int(port)


def listen_addresses(text: str) -> list[tuple[str, int]]:
    """All of a comma-separated list; raises ValueError."""
    return [parse_listen(part) for part in text.split(",")]


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "ip6-localhost")


def is_private(host: str) -> bool:
    """Whether it is surely inside the house: loopback, RFC 1918, .local, a bare name."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".home.arpa", ".internal"))


def in_networks(address: str, networks: Iterable[str]) -> bool:
    """Whether an address is one of, or in one of, "127.0.0.1" and "10.0.0.0/8"."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(one, strict=False) for one in networks)


def parse_url(text: str) -> SplitResult:
    """An absolute http or https URL without credentials, query and fragment.

    Raises ValueError; the text never quotes a URL, since it may hold a password.
    """
    if any(ord(char) <= 32 or ord(char) == 127 for char in text):
        raise ValueError("must not hold spaces or control characters")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError("is no URL: the host or the port is malformed") from None
    if url.scheme not in ("http", "https"):
        raise ValueError('must begin with "http://" or "https://"')
    if "@" in url.netloc:
        raise ValueError(
            "must not hold a user or password: name the key with api_key_env or api_key_file"
        )
    host = url.hostname or ""
    if not host:
        raise ValueError("names no host")
    if "[" not in url.netloc and not _HOST.fullmatch(host):
        raise ValueError("the host is malformed")
    if port == 0:
        raise ValueError("the port is 0")
    if url.query or url.fragment or text.endswith(("?", "#")):
        raise ValueError("must end with its path: no query (?) and no fragment (#)")
    return url


def sqlite_path(text: str) -> str:
    """The absolute path of sqlite:///absolute/path.db; raises ValueError."""
    scheme, _, path = text.partition("://")
    if scheme in ("postgres", "postgresql"):
        raise ValueError('PostgreSQL is not supported yet: use "sqlite:///path/pihub.db"')
    if scheme != "sqlite" or not path.startswith("/") or path.endswith("/"):
        raise ValueError('must be "sqlite://" and an absolute path: "sqlite:///path/pihub.db"')
    if "\0" in path or "?" in path:
        raise ValueError("the path must not hold ? or NUL")
    return "/" + path.lstrip("/")
