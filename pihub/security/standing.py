"""Whether a key may still do what was asked with it: for work that is done long after."""

from __future__ import annotations

from pihub.errors import Forbidden, NotFound
from pihub.security import scope
from pihub.security.keys import KeyService


class Standing:
    """Asks the database, so it is for the control process alone. Any thread may ask."""

    def __init__(self, keys: KeyService) -> None:
        self._keys = keys

    def require(self, number: int, model: str) -> None:
        """The key is live, its tenant is not switched off, both may use the model.

        Where it came from was judged when it asked. Raises Forbidden and StoreFault.
        """
        try:
            key = self._keys.get(number)
            tenant = self._keys.tenant(key.tenant)
        except NotFound:
            raise Forbidden("the API key that asked is not known any more") from None
        if not self._keys.is_live(key):
            raise Forbidden("the API key that asked was revoked or has expired")
        if tenant.disabled:
            raise Forbidden("the tenant of the API key that asked is switched off")
        rule = scope.rule(scope.load(key.scope), tenant.models, tenant.apis)
        if rule is not None and rule.models is not None and model not in rule.models:
            raise Forbidden(f"the API key that asked may not use the model {model[:100]!r}")
