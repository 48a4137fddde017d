"""What a key may be used for, beyond its tenant and its rate.

`null` means all, a list means those and no others. Only restricted keys carry the flag
that sends a request to the slower check; all others are never looked up here.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated

import msgspec

from pihub.errors import BadRequest
from pihub.security.permissions import unknown
from pihub.shared.scopes import QUOTA, RESTRICTED, Rule

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Names = Annotated[list[Annotated[str, msgspec.Meta(max_length=120)]], msgspec.Meta(max_length=64)]


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """As it is written, kept and shown."""

    models: Names | None = None
    """Names that clients use; null: all."""
    apis: Names | None = None
    """Names of [apis.NAME]; null: all."""
    admin: Names = []
    """Permissions in the admin API."""
    networks: Names = []
    """Addresses and networks it may be used from; none: everywhere."""


def checked(scope: Scope) -> Scope:
    """Networks in their normal form. Raises BadRequest."""
    if bad := unknown(scope.admin):
        raise BadRequest(f"unknown permission {bad[0][:50]!r}", param="admin")
    networks = []
    for text in scope.networks:
        try:
            networks.append(str(ipaddress.ip_network(text, strict=False)))
        except ValueError:
            raise BadRequest(
                f"{text[:50]!r} is no address or network", param="networks"
            ) from None
    return Scope(
        models=scope.models,
        apis=scope.apis,
        admin=sorted(set(scope.admin)),
        networks=networks,
    )


def load(text: str) -> Scope:
    """As the database keeps it."""
    return msgspec.json.decode(text, type=Scope)


def dump(scope: Scope) -> str:
    return msgspec.json.encode(scope).decode()


def within(names: list[str] | None, limit: list[str] | None) -> list[str] | None:
    """What both allow."""
    if names is None or limit is None:
        return limit if names is None else names
    return [name for name in names if name in limit]


def exceeds(scope: Scope, limit: Scope) -> bool:
    """Whether it allows something that `limit` does not, permissions aside."""
    for names, allowed in ((scope.models, limit.models), (scope.apis, limit.apis)):
        if allowed is not None and (names is None or not set(names) <= set(allowed)):
            return True
    inner, outer = map(_networks, (scope.networks, limit.networks))
    return bool(outer) and not (
        inner and all(any(_inside(one, all_) for all_ in outer) for one in inner)
    )


def _networks(texts: list[str]) -> list[Network]:
    return [ipaddress.ip_network(text, strict=False) for text in texts]


def _inside(one: Network, other: Network) -> bool:
    """Of the same version, and no larger."""
    if isinstance(one, ipaddress.IPv4Network) and isinstance(other, ipaddress.IPv4Network):
        return one.subnet_of(other)
    if isinstance(one, ipaddress.IPv6Network) and isinstance(other, ipaddress.IPv6Network):
        return one.subnet_of(other)
    return False


def rule(
    scope: Scope, models: list[str] | None = None, apis: list[str] | None = None
) -> Rule | None:
    """For the workers, within its tenant's own lists; None: there is nothing to check."""
    found = Rule(within(scope.models, models), within(scope.apis, apis), tuple(scope.networks))
    return None if found == Rule(None, None, ()) else found


def flags_of(rule: Rule | None, *, quota: bool) -> int:
    return (0 if rule is None else RESTRICTED) | (QUOTA if quota else 0)
