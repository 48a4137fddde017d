"""How safe a configuration is: findings with what would mend them, and a grade.

Each finding takes points off 100: grave 30, serious 15, slight 5. A from 90, B from 75,
C from 60, D from 45, E from 30, F below. A grave finding is never better than C.
"""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from pihub.settings.addresses import is_loopback, is_private, listen_addresses
from pihub.settings.origins import cors_origins
from pihub.settings.paths import database
from pihub.settings.schema import Settings

Weight = Literal["grave", "serious", "slight"]
POINTS: dict[Weight, int] = {"grave": 30, "serious": 15, "slight": 5}
GRADES = ((90, "A"), (75, "B"), (60, "C"), (45, "D"), (30, "E"))
SHORTEST_SECRET = 16
Connects = Callable[[str, int], bool]
"""(address, port) to whether something answers there."""


class Finding(NamedTuple):
    weight: Weight
    what: str
    mend: str


class Posture(NamedTuple):
    grade: str
    points: int
    findings: tuple[Finding, ...]

    @property
    def fit_for_production(self) -> bool:
        return self.grade in ("A", "B")


def judge(
    settings: Settings,
    secrets: Mapping[str, bytes],
    *,
    admin: bool,
    second_factors: bool,
    connects: Connects | None = None,
) -> Posture:
    """`admin`: somebody can log in; `second_factors`: every owner and admin has one."""
    found = (
        *_network(settings),
        *_people(admin, second_factors),
        *_files(settings),
        *_secrets(secrets),
        *_upstreams(settings, connects),
    )
    points = max(0, 100 - sum(POINTS[one.weight] for one in found))
    if any(one.weight == "grave" for one in found):
        points = min(points, 74)
    grade = next((letter for least, letter in GRADES if points >= least), "F")
    return Posture(grade, points, tuple(found))


def _network(settings: Settings) -> Iterator[Finding]:
    server = settings.server
    open_hosts = [host for host, _ in listen_addresses(server.listen) if not is_loopback(host)]
    https = bool(server.tls_cert) or server.public_url.startswith("https://")
    if open_hosts and not https:
        yield Finding(
            "grave",
            f"plain HTTP beyond this machine ({', '.join(open_hosts)}): keys and passwords can "
            "be read on the way",
            "listen on 127.0.0.1 behind Caddy (pihub edge caddy) and set server.public_url",
        )
    elif open_hosts and not server.tls_cert:
        yield Finding(
            "slight",
            "other machines reach the hub beside its TLS proxy",
            "let server.listen name 127.0.0.1 only",
        )
    if https and not server.tls_cert and not settings.access.trusted_proxies:
        yield Finding(
            "slight",
            "behind the proxy every client is one source for the lock-out",
            'set access.trusted_proxies, such as ["127.0.0.1"]',
        )
    origins = cors_origins(settings)
    if "*" in origins:
        yield Finding(
            "serious",
            "every web page may call the APIs from a browser (server.cors_origins)",
            "name the origins",
        )
    if any(one.startswith("http://") for one in origins):
        yield Finding("slight", "an origin without TLS is allowed", "use https origins")
    for name, api in settings.apis.items():
        if not api.auth and (api.api_key_env or api.api_key_file):
            yield Finding(
                "grave",
                f"apis.{name} lends its key to everybody (auth = false)",
                "remove auth = false",
            )


def _people(admin: bool, second_factors: bool) -> Iterator[Finding]:
    if not admin:
        yield Finding(
            "serious", "there is no admin: this machine reads without a login",
            "pihub admin create NAME",
        )  # fmt: skip
    elif not second_factors:
        yield Finding(
            "slight", "an owner or admin has no second factor",
            "switch it on at /dashboard/account",
        )  # fmt: skip


def _files(settings: Settings) -> Iterator[Finding]:
    folder = database(settings).parent
    named = [folder / name for name in ("pepper.key", "control.db", "pihub.db", "demo.key")]
    if settings.server.tls_key:
        named.append(Path(settings.server.tls_key))
    for section in (settings.upstreams, settings.apis):
        named += [Path(one.api_key_file) for one in section.values() if one.api_key_file]
    for path in named:
        try:
            mode = stat.S_IMODE(os.stat(path).st_mode)
        except OSError:
            continue
        if mode & 0o007:
            yield Finding("grave", f"{path} can be read by everybody", f"chmod 600 {path}")
        elif mode & 0o070:
            yield Finding("slight", f"{path} can be read by its group", f"chmod 600 {path}")


def _secrets(secrets: Mapping[str, bytes]) -> Iterator[Finding]:
    for name, secret in secrets.items():
        if len(secret) < SHORTEST_SECRET or len(set(secret)) < 8:
            yield Finding(
                "serious", f"the secret of {name} is short or repeats itself",
                "make one: openssl rand -base64 32",
            )  # fmt: skip


def _upstreams(settings: Settings, connects: Connects | None) -> Iterator[Finding]:
    for name, upstream in settings.upstreams.items():
        url = urlsplit(upstream.url)
        host = url.hostname or ""
        keyed = upstream.api_key_env or upstream.api_key_file
        if url.scheme == "http" and keyed and not is_private(host):
            yield Finding("grave", f"the key of {name} crosses the network in plain text", "https")
        if upstream.kind != "ollama" or not host:
            continue
        if not is_loopback(host):
            yield Finding(
                "serious",
                f"the Ollama of {name} answers on the network without any key",
                "bind it to 127.0.0.1 on its own machine, or firewall its port to the hub",
            )
        elif connects is not None:
            open_at = [a for a in _own_addresses() if connects(a, url.port or 11434)]
            if open_at:
                yield Finding(
                    "serious",
                    f"the Ollama of {name} is open to the LAN ({', '.join(open_at)})",
                    "set OLLAMA_HOST=127.0.0.1 for it",
                )


def _own_addresses() -> list[str]:
    """This machine's addresses on its networks."""
    import psutil

    found = []
    for entries in psutil.net_if_addrs().values():
        for entry in entries:
            try:
                address = ipaddress.ip_address(entry.address.partition("%")[0])
            except ValueError:
                continue
            if address.version == 4 and not address.is_loopback:
                found.append(str(address))
    return found[:8]
