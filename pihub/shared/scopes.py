"""What restricted keys may be used for, published by control, read by workers.

The board holds JSON: {"rules": [[models, apis, networks], ...], "keys": {number: rule}};
keys of the same scope share a rule. A restricted key without a rule may do nothing.
RAM: the board (2 x 64 KiB) and one decoded copy a worker, only if there are such keys.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from pihub.errors import Forbidden

RESTRICTED = 0x4000
"""Flag of a key (include/ph_keytable.h has the same): a rule must be asked."""
QUOTA = 0x8000
"""Flag of a key: its tenant has a limit of its own."""


class Rule(NamedTuple):
    """None: all."""

    models: list[str] | None
    apis: list[str] | None
    networks: tuple[str, ...]


FREE = Rule(None, None, ())
"""Everything is allowed, but the edge asks: its prompts are judged."""


class Published(Protocol):
    """A shared board (`_core.board.Board`)."""

    @property
    def capacity(self) -> int: ...
    def publish(self, data: bytes) -> int: ...
    def generation(self) -> int: ...
    def read(self) -> tuple[int, bytes]: ...


def encode(rules: Mapping[int, Rule]) -> bytes:
    """By key number."""
    texts: dict[str, int] = {}
    keys = {}
    for number, rule in rules.items():
        keys[str(number)] = texts.setdefault(json.dumps(rule, separators=(",", ":")), len(texts))
    return json.dumps(
        {"rules": [json.loads(text) for text in texts], "keys": keys}, separators=(",", ":")
    ).encode()


def in_networks(rule: Rule, address: str) -> bool:
    """Whether an address is among a rule's; an empty one (a unix socket) is this machine."""
    if not rule.networks:
        return True
    try:
        found = ipaddress.ip_address(address or "127.0.0.1")
    except ValueError:
        return False
    plain = getattr(found, "ipv4_mapped", None) or found
    return any(plain in ipaddress.ip_network(one) for one in rule.networks)


class _Compiled:
    __slots__ = ("apis", "models", "rule")

    def __init__(self, models: list[str] | None, apis: list[str] | None, nets: list[str]) -> None:
        self.models = None if models is None else frozenset(models)
        self.apis = None if apis is None else frozenset(apis)
        self.rule = Rule(models, apis, tuple(nets))


class Scopes:
    """The workers' side; never blocks."""

    def __init__(self, board: Published) -> None:
        self._board = board
        self._generation = 0
        self._rules: list[_Compiled] = []
        self._keys: dict[int, int] = {}

    def check_network(self, key: int, address: str) -> None:
        """Raises Forbidden. An empty address is a unix socket: this machine."""
        if not in_networks(self._rule(key).rule, address):
            raise Forbidden("this API key may not be used from your address")

    def check_model(self, key: int, model: str) -> None:
        """Raises Forbidden."""
        models = self._rule(key).models
        if models is not None and model not in models:
            raise Forbidden(f"this API key may not use the model {model[:100]!r}")

    def check_api(self, key: int, name: str) -> None:
        """Raises Forbidden."""
        apis = self._rule(key).apis
        if apis is not None and name not in apis:
            raise Forbidden("this API key may not use this API")

    def models(self, key: int, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of `names` that the key may use."""
        models = self._rule(key).models
        return names if models is None else tuple(name for name in names if name in models)

    def _rule(self, key: int) -> _Compiled:
        if self._board.generation() != self._generation:
            generation, data = self._board.read()
            found = json.loads(data) if data else {"rules": [], "keys": {}}
            self._rules = [_Compiled(*one) for one in found["rules"]]
            self._keys = {int(number): rule for number, rule in found["keys"].items()}
            self._generation = generation
        at = self._keys.get(key)
        if at is None:
            raise Forbidden("this API key is restricted, and its rule is not published yet")
        return self._rules[at]
