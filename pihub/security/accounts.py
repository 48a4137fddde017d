"""Users: made, changed, logged in. Every check of a password is here.

A user is (issuer, subject); `local` users log in with a password and, if they want, a
one-time code. An identity provider's users come later with their own issuer.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from pihub.errors import BadRequest, Conflict, Forbidden, LoginRequired, NotFound
from pihub.security import totp
from pihub.security.actor import Actor
from pihub.security.lockout import Lockout, network
from pihub.security.passwords import LONGEST, Passwords, require_strong
from pihub.security.permissions import ROLES, unknown
from pihub.security.seal import opened, sealed
from pihub.store.people import People, UserRow

LOCAL = "local"
LINK_SECONDS = 86400
_SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,62}")
_ROLE = re.compile(r"[a-z][a-z0-9_-]{0,31}")
WRONG = "the name, the password or the code is wrong"


def _owner(number: int) -> bytes:
    return b"totp %d" % number


class Enrolment(NamedTuple):
    """A second factor that was just switched on; shown once."""

    uri: str
    recovery_codes: list[str]


class Accounts:
    """The users of the control plane."""

    def __init__(
        self,
        people: People,
        secret: bytes,
        clock: Callable[[], float] = time.time,
        lockout: Lockout | None = None,
    ) -> None:
        self.people = people
        self.lockout = lockout or Lockout()
        self._secret = secret
        self._clock = clock
        self._passwords = Passwords()
        self._has_admin = False

    def has_admin(self) -> bool:
        """Whether somebody can log in who may manage users. Never false again once true."""
        if not self._has_admin:
            self._has_admin = any(
                not user.disabled and "users:write" in self.permissions(user.role)
                for user in self.people.users()
            )
        return self._has_admin

    # ---- managing --------------------------------------------------------------

    def create(
        self,
        subject: str,
        password: str | None,
        role: str = "owner",
        *,
        name: str = "",
        issuer: str = LOCAL,
        tenant: int | None = None,
        by: Actor | None = None,
    ) -> UserRow:
        """Raises BadRequest, Conflict, Forbidden."""
        if issuer == LOCAL and not _SUBJECT.fullmatch(subject):
            raise BadRequest(
                "a user is 1 to 63 of A-Z a-z 0-9 . _ @ + - and begins with a letter or digit",
                param="subject",
            )
        self._may_give(by, role)
        encoded = ""
        if password is not None:
            require_strong(password, (subject, name))
            encoded = self._passwords.hash(password)
        now = int(self._clock())
        number = self.people.add(
            issuer, subject, name or subject, role, tenant, encoded, now
        )
        if number is None:
            raise Conflict(f"there is a user {subject!r} already")
        return self.get(number)

    def get(self, number: int) -> UserRow:
        """Raises NotFound."""
        found = self.people.user(number)
        if found is None:
            raise NotFound(f"there is no user {number}")
        return found

    def named(self, subject: str, issuer: str = LOCAL) -> UserRow:
        """Raises NotFound."""
        found = self.people.by_subject(issuer, subject)
        if found is None:
            raise NotFound(f"there is no user {subject!r}")
        return found

    def set_password(self, number: int, password: str, by: Actor | None = None) -> UserRow:
        """All sessions of the user end. Raises BadRequest, Forbidden, NotFound."""
        user = self.get(number)
        self._may_give(by, user.role)
        require_strong(password, (user.subject, user.name))
        self.people.set_password(number, self._passwords.hash(password))
        return self.get(number)

    def change_own_password(self, number: int, old: str, new: str, source: str) -> None:
        """Raises BadRequest, LoginRequired, TooManyAttempts."""
        user = self.get(number)
        self.confirm(number, old, source)
        require_strong(new, (user.subject, user.name))
        self.people.set_password(number, self._passwords.hash(new))

    def change(
        self,
        number: int,
        *,
        role: str,
        tenant: int | None,
        name: str,
        disabled: bool,
        by: Actor | None = None,
    ) -> UserRow:
        """Raises BadRequest, Conflict, Forbidden, NotFound."""
        user = self.get(number)
        self._may_give(by, user.role)
        self._may_give(by, role)
        if user.role == "owner" and (role != "owner" or disabled):
            owners = [u for u in self.people.users() if u.role == "owner" and not u.disabled]
            if [one.id for one in owners] == [number]:
                raise Conflict("this is the last owner: make another one first")
        self.people.set_role(number, role, tenant, name or user.subject)
        if bool(user.disabled) != disabled:
            self.people.set_disabled(number, int(self._clock()) if disabled else 0)
        return self.get(number)

    def confirm(self, number: int, password: str, source: str) -> None:
        """The user's own password once more. Raises LoginRequired, TooManyAttempts."""
        user = self.get(number)
        self._checked(user.subject, user, source, password)

    def enrol(self, number: int, host: str) -> Enrolment:
        """Switch the second factor on, or renew it."""
        user = self.get(number)
        secret, codes = totp.new_secret(), totp.recovery_codes()
        hashes = [totp.recovery_hash(self._secret, c) for c in codes]
        self.people.set_totp(number, sealed(self._secret, secret, _owner(number)), hashes)
        return Enrolment(totp.uri(secret, user.subject, host), codes)

    def seal_all(self) -> int:
        """Seals secrets of one-time codes that an older version kept as they were; how many."""
        plain = [
            (user.id, user.totp)
            for user in self.people.users()
            if user.totp is not None and len(user.totp) == totp.SECRET_BYTES
        ]
        for number, secret in plain:
            self.people.reseal(number, sealed(self._secret, secret, _owner(number)))
        return len(plain)

    def forget_totp(self, number: int, by: Actor | None = None) -> UserRow:
        self._may_give(by, self.get(number).role)
        self.people.set_totp(number, None, ())
        return self.get(number)

    # ---- roles -----------------------------------------------------------------

    def permissions(self, role: str) -> frozenset[str]:
        """Of a built-in or a custom role; of an unknown one: none."""
        built_in = ROLES.get(role)
        return built_in if built_in is not None else frozenset(self.people.roles().get(role, ()))

    def put_role(self, name: str, permissions: list[str], by: Actor | None = None) -> None:
        """Raises BadRequest, Forbidden."""
        if name in ROLES:
            raise BadRequest(f"{name} is a built-in role", param="name")
        if not _ROLE.fullmatch(name):
            raise BadRequest("a role is 1 to 32 of a-z 0-9 _ -", param="name")
        if bad := unknown(permissions):
            raise BadRequest(f"unknown permission {bad[0][:50]!r}", param="permissions")
        if by is not None and not by.permissions.issuperset(permissions):
            raise Forbidden("a role cannot have more permissions than you")
        self._may_touch(by, name)
        self.people.put_role(name, sorted(set(permissions)))

    def drop_role(self, name: str, by: Actor | None = None) -> list[str]:
        """Its permissions. Raises Conflict, Forbidden, NotFound."""
        found = self.people.roles().get(name)
        if found is None:
            raise NotFound(f"there is no custom role {name[:50]!r}")
        self._may_touch(by, name)
        if not self.people.drop_role(name):
            raise Conflict("somebody has this role: give them another one first")
        return found

    def put_group(self, issuer: str, name: str, role: str, by: Actor | None = None) -> None:
        """Map a group to a role; an empty role: to none. Raises BadRequest, Forbidden."""
        if role:
            self._may_give(by, role)
        for where, group, mapped in self.people.groups():
            if (where, group) == (issuer, name):
                self._may_touch(by, mapped)
        self.people.put_group(issuer, name, role)

    def role_of_groups(self, issuer: str, groups: list[str]) -> str | None:
        """The mapped role with the most permissions; None: none of the groups is mapped."""
        found = [
            role for where, name, role in self.people.groups() if where == issuer and name in groups
        ]
        return max(found, key=lambda role: (len(self.permissions(role)), role), default=None)

    def _may_touch(self, by: Actor | None, role: str) -> None:
        """Its holders' rights are not for somebody with fewer. Raises Forbidden."""
        if by is not None and not by.permissions >= self.permissions(role):
            raise Forbidden("nobody can manage a role with more permissions than their own")

    def _may_give(self, by: Actor | None, role: str) -> None:
        if role not in ROLES and role not in self.people.roles():
            raise BadRequest(f"there is no role {role[:50]!r}", param="role")
        if by is None or by.kind == "local":
            return
        if role == "owner":
            by.require("owners:write")
        self._may_touch(by, role)

    # ---- logging in ------------------------------------------------------------

    def login(self, subject: str, password: str, code: str, source: str) -> UserRow:
        """Raises LoginRequired, whatever is wrong, and TooManyAttempts."""
        user = self.people.by_subject(LOCAL, subject[:63])
        return self._checked(subject[:63], user, source, password, code)

    def _checked(
        self,
        account: str,
        user: UserRow | None,
        source: str,
        password: str,
        code: str | None = None,
    ) -> UserRow:
        """`code` None: the caller is logged in already, only the password is asked."""
        known = user is not None and self.people.knows(user.id, network(source))
        self.lockout.check(account, source, known=known)
        # Counted before it is known: many tries at once get no more than five.
        self.lockout.failed(account, source)
        right = self._passwords.verify(
            "" if user is None or user.disabled else user.password, password[:LONGEST]
        )
        if user is not None and user.totp is not None and code is not None:
            right = self._second(user, code, right)
        if not right or user is None:
            raise LoginRequired(WRONG)
        self.lockout.passed(account, source)
        return user

    def _second(self, user: UserRow, code: str, right: bool) -> bool:
        """A code is used up only by a login that succeeds."""
        assert user.totp is not None
        secret = opened(self._secret, user.totp, _owner(user.id))
        # Without its secret (another pepper) only a recovery code could help.
        step = None
        if secret is not None:
            step = totp.verify(secret, code, self._clock(), user.totp_step)
        if not right:
            return False
        if step is not None:
            return self.people.use_step(user.id, step)
        return bool(code) and self.people.use_recovery(
            user.id, totp.recovery_hash(self._secret, code)
        )

    # ---- the first start -------------------------------------------------------

    def new_link(self) -> str:
        """The secret of a fresh one-time set-up link; older ones are no longer good."""
        token = secrets.token_urlsafe(32)
        self.people.put_link(self._link(token), int(self._clock()) + LINK_SECONDS)
        return token

    def link_is_good(self, token: str) -> bool:
        return not self.has_admin() and self.people.has_link(
            self._link(token), int(self._clock())
        )

    def setup(self, token: str, subject: str, password: str) -> UserRow:
        """The first owner, by the link. Raises BadRequest, LoginRequired, Conflict."""
        require_strong(password, (subject,))
        if not _SUBJECT.fullmatch(subject):
            raise BadRequest("a user name is 1 to 63 of A-Z a-z 0-9 . _ @ + -", param="subject")
        if not self.link_is_good(token) or not self.people.use_link(
            self._link(token), int(self._clock())
        ):
            raise LoginRequired("this set-up link is used or too old: start the hub again")
        return self.create(subject, password, "owner")

    def _link(self, token: str) -> bytes:
        return hmac.digest(self._secret, b"setup " + token.encode(), "sha256")
