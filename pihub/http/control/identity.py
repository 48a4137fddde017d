"""Who sends a request to the control plane: the socket's owner, an admin key, a session.

A worker marks what it passes on with `x-pihub-forwarded: <peer>`; a client can add to
that mark, never remove it. A proxy's X-Forwarded-For and -Proto come as `x-pihub-told-for`
and `-proto` (waitress drops the usual names), and are believed only of a peer in
`access.trusted_proxies`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

import falcon

from pihub.errors import Forbidden, LoginRequired, TooManyAttempts
from pihub.security.accounts import Accounts
from pihub.security.actor import LOCAL, NOBODY, Actor
from pihub.security.audit import AuditLog
from pihub.security.keys import KeyService
from pihub.security.permissions import LOCAL_READS
from pihub.security.refusals import write_refusal
from pihub.security.sessions import COOKIE, SECURE_COOKIE, Sessions


@dataclass(frozen=True, slots=True)
class Who:
    """The sender of one request."""

    actor: Actor
    source: str
    """The client's address; empty on the unix socket."""
    secure: bool
    """The browser came by https: cookies may be Secure."""
    csrf: str = ""
    """Of the session; empty without one."""
    cookie: str = ""
    session: int = 0


class Identity:
    """Reads credentials; refuses wrong ones, and tells missing ones from wrong ones."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        keys: KeyService,
        audit: AuditLog,
        proxies: Iterable[str] = (),
        public_url: str = "",
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._keys = keys
        self._audit = audit
        self._proxies = [ipaddress.ip_network(one, strict=False) for one in proxies]
        self._https = public_url.startswith("https://")

    def of(self, req: falcon.Request) -> Who:
        """Raises LoginRequired, Forbidden, TooManyAttempts."""
        forwarded = req.get_header("x-pihub-forwarded")
        if forwarded is None:
            return Who(LOCAL, "", secure=False)
        source, secure = self._source(req, forwarded)
        token = _token(req)
        if token:
            return Who(self._key(token, source), source, secure)
        cookie = req.get_cookie_values(SECURE_COOKIE) or req.get_cookie_values(COOKIE) or [""]
        found = self._sessions.find(cookie[0], source)
        if found is not None:
            return Who(found.actor, source, secure, found.csrf, cookie[0], found.session)
        if not self._accounts.has_admin():
            # What a proxy on this machine passes on comes from elsewhere.
            proxied = req.get_header("x-pihub-told-for") is not None
            if proxied or not is_here(source):
                raise Forbidden(
                    "there is no admin yet: make one on the hub's own machine, with the link "
                    "that it printed or `pihub admin create NAME`"
                )
            reader = Actor("nobody", "this machine", LOCAL_READS, source=source)
            return Who(reader, source, secure, cookie=cookie[0])
        return Who(NOBODY, source, secure, cookie=cookie[0])

    def _key(self, token: str, source: str) -> Actor:
        lockout = self._accounts.lockout
        try:
            lockout.check("", source, known=True)
        except TooManyAttempts:
            write_refusal(self._audit, lockout, "admin key", "", "", source)
            raise
        found = self._keys.admin(token, source)
        if found is None:
            lockout.failed("", source)
            raise LoginRequired("this is no admin key of the hub")
        return found

    def _source(self, req: falcon.Request, forwarded: str) -> tuple[str, bool]:
        # The worker's own mark is the last one, whatever a client has put before it.
        peer = forwarded.rpartition(",")[2].strip()
        peer = "" if peer == "local" else peer
        secure = self._https or req.get_header("x-pihub-scheme") == "https"
        if not self._trusted(peer):
            return peer or "127.0.0.1", secure
        told = [one.strip() for one in (req.get_header("x-pihub-told-for") or "").split(",")]
        if req.get_header("x-pihub-told-proto") == "https":
            secure = True
        for one in reversed(told):
            if _address(one) is None:
                break
            if not self._trusted(one):
                return one, secure
        return peer, secure

    def _trusted(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in one for one in self._proxies)


def is_here(source: str) -> bool:
    """Whether an address is this machine."""
    address = _address(source)
    return address is not None and address.is_loopback


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _token(req: falcon.Request) -> str:
    kind, _, value = (req.get_header("authorization") or "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    return req.get_header("x-api-key") or ""
