"""Logins of browsers: kept here, only a random number is in the cookie.

A session ends after an hour without a request, twelve hours after its login, at a logout,
when its user is disabled or gets another password, or when somebody revokes it; role and
tenant are read from the user at each request. The number changes at every login, so a
planted cookie is worth nothing.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from pihub.security.accounts import Accounts
from pihub.security.actor import Actor
from pihub.security.lockout import network
from pihub.store.people import SessionRow, UserRow

IDLE = 3600.0
ABSOLUTE = 12 * 3600.0
TOUCH = 60
"""Seconds between two writes of when a session was seen: the SD card wears."""
AGENT_CHARS = 200
COOKIE = "pihub_session"
SECURE_COOKIE = "__Host-pihub_session"
"""Where the browser came by https: RFC 6265bis section 4.1.3.2."""
CSRF_COOKIE = "pihub_csrf"
"""Scripts read it and send it back as x-csrf-token; another site can do neither."""


class Login(NamedTuple):
    """What the browser gets."""

    cookie: str
    csrf: str
    session: int


class Found(NamedTuple):
    """A live session."""

    actor: Actor
    csrf: str
    session: int
    user: UserRow


class Sessions:
    def __init__(
        self,
        accounts: Accounts,
        secret: bytes,
        clock: Callable[[], float] = time.time,
        *,
        idle: float = IDLE,
        length: float = ABSOLUTE,
    ) -> None:
        self._idle = idle
        self._length = int(length)
        self._accounts = accounts
        self._secret = secret
        self._clock = clock

    def begin(self, user: UserRow, source: str, agent: str, old: str = "") -> Login:
        """`old`: the cookie that the browser sent; it ends."""
        if old:
            self.end(old)
        cookie = secrets.token_urlsafe(32)
        now = int(self._clock())
        number = self._accounts.people.begin(
            self._digest(cookie),
            user.id,
            now,
            now + self._length,
            network(source),
            agent[:AGENT_CHARS],
        )
        return Login(cookie, self.csrf(cookie), number)

    def find(self, cookie: str, source: str) -> Found | None:
        """None: no session, or it has ended."""
        people = self._accounts.people
        row = people.session(self._digest(cookie)) if cookie else None
        if row is None:
            return None
        now = int(self._clock())
        user = people.user(row.user)
        if user is None or user.disabled or self.ended(row):
            people.end(row.id)
            return None
        if now - row.seen >= TOUCH:
            people.touch(row.id, now)
        permissions = self._accounts.permissions(user.role)
        actor = Actor("session", user.subject, permissions, user.tenant, source, user.id)
        return Found(actor, self.csrf(cookie), row.id, user)

    def ended(self, row: SessionRow) -> bool:
        now = self._clock()
        return now >= row.ends or now - row.seen >= self._idle

    @property
    def length(self) -> int:
        """Seconds until a session ends, whatever is done in it."""
        return self._length

    def end(self, cookie: str) -> None:
        row = self._accounts.people.session(self._digest(cookie))
        if row is not None:
            self._accounts.people.end(row.id)

    def csrf(self, cookie: str) -> str:
        """What a form or script must send back; another site cannot know it."""
        return hmac.digest(self._secret, b"csrf " + cookie.encode(), "sha256").hex()[:32]

    def _digest(self, cookie: str) -> bytes:
        return hmac.digest(self._secret, b"session " + cookie.encode(), "sha256")
