"""Stage 4: which targets may answer, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pihub.domain.target import Target, parse_target
from pihub.errors import ModelNotFound
from pihub.gateway.exchange import Exchange
from pihub.gateway.offline import Offline
from pihub.gateway.plan import Planner
from pihub.gateway.prompts.guard import Guard
from pihub.gateway.thoughts import Thoughts


class ModelTable:
    """The names that clients may use, and the chain of targets behind each.

    A name is an alias of the configuration, a full `upstream/model`, or the bare name
    of a model that stands in a chain. RAM: a few hundred bytes a name.
    """

    def __init__(self, chains: Mapping[str, Sequence[Target]]) -> None:
        table: dict[str, tuple[Target, ...]] = {}
        for chain in chains.values():
            for target in chain:
                table.setdefault(target.name, (target,))
                table.setdefault(target.model, (target,))
        for alias, chain in chains.items():
            table[alias] = tuple(chain)
        self._table = table
        self.aliases = tuple(chains)
        self.names = tuple(dict.fromkeys([*chains, *(t.name for c in chains.values() for t in c)]))

    def all_targets(self) -> tuple[Target, ...]:
        """Every target of every chain, once."""
        return tuple(dict.fromkeys(t for chain in self._table.values() for t in chain))

    def chains(self) -> Iterable[tuple[str, tuple[Target, ...]]]:
        """Every name that clients may use and its chain."""
        return [(name, chain) for name, chain in self._table.items() if chain]

    def named(self, name: str) -> str:
        """The same model's name here: Ollama's clients put `:latest` behind one without a tag."""
        bare = name.removesuffix(":latest")
        return name if name in self._table or bare not in self._table else bare

    def find(self, name: str) -> tuple[Target, ...]:
        """Raises ModelNotFound, naming what exists."""
        chain = self._table.get(self.named(name))
        if chain is None:
            known = ", ".join(self.names[:8]) or "none: add [models.NAME] to pihub.toml"
            raise ModelNotFound(
                f"the model {name[:100]!r} is not configured; known: {known}", param="model"
            )
        return chain


class Router:
    """Sets `targets`, `plan` where one is wanted, and `stored` while the hub is offline.
    Raises ModelNotFound, PromptWithheld and what the planner and the offline mode raise."""

    def __init__(
        self,
        models: ModelTable,
        planner: Planner | None = None,
        thoughts: Thoughts | None = None,
        offline: Offline | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._guard = guard
        self.models = models
        self._planner = planner
        self._thoughts = thoughts
        self._offline = offline

    def __call__(self, x: Exchange) -> None:
        if x.stored is not None or x.follows is not None:
            return
        x.targets = chain = self.models.find(x.alias)
        if self._planner is not None and self._planner.wanted(x, chain):
            self._planner(x, chain)
        if self._thoughts is not None:
            self._thoughts.pin(x)
        if self._guard is not None:
            x.targets = self._guard.bound(x, x.targets)
        if self._offline is not None:
            self._offline(x)
            if self._guard is not None and x.stored is None:
                x.targets = self._guard.bound(x, x.targets)

    def allowed(self, x: Exchange) -> tuple[Target, ...]:
        """The chain of a request that is no chat, without what may not answer it.

        Raises ModelNotFound, PolicyRefused, PromptWithheld and BadRequest.
        """
        chain = self.models.find(x.alias)
        if self._planner is not None:
            chain = self._planner.allowed(x, chain)
        return chain if self._guard is None else self._guard.bound(x, chain)


def chain_targets(
    chain: Sequence[str],
    kinds: Mapping[str, str],
    simulated: Mapping[str, bool],
    max_tokens: int | None,
) -> tuple[Target, ...]:
    """The targets of one configured chain.

    Raises ValueError for a malformed target and KeyError for an unknown upstream.
    """
    targets = []
    for text in chain:
        upstream, model = parse_target(text)
        targets.append(Target(upstream, kinds[upstream], model, simulated[upstream], max_tokens))
    return tuple(targets)
