"""A generic HTTP API as an upstream: its origin, its base path, its credential."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from pihub.domain.ports import Headers, Spent
from pihub.errors import ConfigError, UpstreamUnreachable
from pihub.settings.schema import Api, Timers
from pihub.upstream.connector import Connector, Origin, Response


def api_origin(settings: Api, name: str) -> tuple[Origin, str]:
    """Where an API's connections go, and the path in front of all of its paths.

    Raises ConfigError.
    """
    return Origin.parse(settings.url, ca_file=settings.ca_file, name=name)


class HttpApi:
    """Calls to one `[apis.NAME]`; the policy is the gateway's."""

    def __init__(
        self, name: str, settings: Api, api_key: bytes | None, connector: Connector
    ) -> None:
        """Raises ConfigError for a bad URL or a key that no header can hold."""
        self.origin, self.base_path = api_origin(settings, name)
        self.timers = settings.timers
        self._pool = settings.pool
        self._connector = connector
        self._credential = _credential(name, settings, api_key)
        self.credential_header = settings.api_key_header.lower()
        # The authorities are read now, not in the first request. If they cannot be,
        # each request says so; the other APIs work.
        with suppress(UpstreamUnreachable):
            connector.prepare(self.origin)

    @property
    def has_credential(self) -> bool:
        """Whether calls carry a key of the hub's own."""
        return bool(self._credential)

    @property
    def authorities(self) -> tuple[str, ...]:
        """How the upstream may name itself in a URL, lower case, with scheme."""
        origin = self.origin
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        named = f"{origin.scheme}://{origin.authority}"
        return (f"{origin.scheme}://{host}:{origin.port}", named)

    def send(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | Iterable[bytes] | None,
        timers: Timers,
        *,
        client_fd: int,
        length: int = -1,
        spent: Spent | None = None,
    ) -> Response:
        """One call; `target` is relative to the base path. Raises as Connector.request.

        A field named as the credential's is replaced by the hub's own.
        """
        sent = headers
        if self._credential:
            name = self.credential_header
            sent = [h for h in headers if h[0] != name] + self._credential
        return self._connector.request(
            self.origin,
            method,
            (self.base_path + target) or "/",
            sent,
            body,
            timers,
            client_fd=client_fd,
            pool=self._pool,
            length=length,
            spent=spent,
        )


def _credential(name: str, settings: Api, api_key: bytes | None) -> list[tuple[str, str]]:
    if not api_key:
        return []
    key = api_key.decode("latin-1").strip()
    if not key.isprintable() or not key.isascii():
        raise ConfigError(f"apis.{name}: the API key holds characters that no header may hold")
    scheme = settings.api_key_scheme
    return [(settings.api_key_header.lower(), f"{scheme} {key}" if scheme else key)]
