"""Who asks: API keys to principals, and their rate limits. No database is touched."""

from __future__ import annotations

import math
import time

from pihub._core.keytable import KeyTable
from pihub._core.limiter import Limiter
from pihub.domain.target import Principal
from pihub.errors import Forbidden, RateLimited, Starting, Unauthenticated
from pihub.shared.scopes import QUOTA, RESTRICTED, Scopes


class Access:
    """Authentication and rate limits of everything that the edge does not answer."""

    def __init__(
        self,
        keys: KeyTable,
        limits: Limiter,
        quotas: Limiter | None = None,
        scopes: Scopes | None = None,
    ) -> None:
        self._keys = keys
        self._limits = limits
        self._quotas = quotas
        self._scopes = scopes

    def principal(self, authorization: str | None, x_api_key: str | None) -> Principal:
        """Raises Starting (keys not loaded yet) or Unauthenticated."""
        if not self._keys.generation():
            raise Starting("the hub is starting, retry in a second", retry_after=1)
        token = x_api_key or ""
        if authorization and authorization[:7].lower() == "bearer ":
            token = authorization[7:].strip()
        if not token:
            raise Unauthenticated(
                "no API key: send it as 'Authorization: Bearer ph_...' or 'x-api-key: ph_...'"
            )
        found = self._keys.find(token.encode("latin-1", "replace"), int(time.time()))
        if found is None:
            raise Unauthenticated("this API key is not known to the hub")
        return Principal(*found)

    def hit(self, principal: Principal) -> None:
        """Count one request of the key. Raises RateLimited."""
        wait = self._limits.hit(principal.key, time.monotonic_ns())
        if wait:
            raise RateLimited(
                "the rate limit of this API key is used up",
                retry_after=max(1, math.ceil(wait / 1e9)),
            )
        if principal.flags & QUOTA and self._quotas is not None:
            wait = self._quotas.hit(principal.tenant, time.monotonic_ns())
            if wait:
                raise RateLimited(
                    "the quota of this tenant is used up",
                    retry_after=max(1, math.ceil(wait / 1e9)),
                )

    def scopes(self, principal: Principal) -> Scopes | None:
        """What must be asked for a restricted key; None: it may do everything.

        Raises Forbidden for a restricted key where no scopes are known.
        """
        if not principal.flags & RESTRICTED:
            return None
        if self._scopes is None:
            raise Forbidden("this API key is restricted")
        return self._scopes

    def permit(
        self, principal: Principal, address: str, *, model: str = "", api: str = ""
    ) -> None:
        """What a restricted key may not do, from where or with which model or API, is refused.

        Raises Forbidden.
        """
        scopes = self.scopes(principal)
        if scopes is None:
            return
        scopes.check_network(principal.key, address)
        if model:
            scopes.check_model(principal.key, model)
        if api:
            scopes.check_api(principal.key, api)
