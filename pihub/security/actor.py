"""Who acts in the control plane, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pihub.errors import Forbidden
from pihub.security.permissions import PERMISSIONS

Kind = Literal["local", "session", "key", "nobody"]


@dataclass(frozen=True, slots=True)
class Actor:
    """One caller of one request."""

    kind: Kind
    """local: through the hub's own unix socket; session: a browser; key: an admin key."""
    name: str
    permissions: frozenset[str]
    tenant: int | None = None
    """The one tenant whose data it sees; None: all."""
    source: str = ""
    """The client's address, empty on the unix socket."""
    number: int = 0
    """Of the user or the key; 0: neither."""

    def may(self, permission: str) -> bool:
        return permission in self.permissions

    def require(self, permission: str) -> None:
        """Raises Forbidden."""
        if permission not in self.permissions:
            raise Forbidden(f"this needs the permission {permission}")


LOCAL = Actor("local", "local", PERMISSIONS)
"""Whoever may open the control socket (mode 0600) is the hub's own user."""
NOBODY = Actor("nobody", "", frozenset())
