"""jobs.books.Books over the hub's keys, models, ledger and budgets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pihub.compose.routing import key_policies
from pihub.domain.chat import Ask, Usage
from pihub.domain.energy import Energy
from pihub.domain.event import Reason
from pihub.domain.pricing import cost
from pihub.domain.routing import permitted, restriction
from pihub.domain.target import Principal, Target
from pihub.errors import PolicyRefused
from pihub.gateway.exchange import Exchange, Incoming
from pihub.gateway.purse import Purse
from pihub.ops.budgets import window_now
from pihub.protocols.registry import CLIENTS
from pihub.security.standing import Standing
from pihub.settings.routing_rules import local as local_upstreams
from pihub.shared.budgets import Budgets, Hold
from pihub.shared.events import Flag
from pihub.shared.spending import PlanReader
from pihub.store.jobs import Job
from pihub.store.metrics import MetricsStore

if TYPE_CHECKING:
    from pihub.app import Hub


class JobBooks:
    """RAM: a hold of some 200 bytes for each job that is being answered."""

    def __init__(
        self,
        hub: Hub,
        slot: int,
        store: MetricsStore,
        stored: Callable[[], bool],
        standing: Standing,
    ) -> None:
        settings, state = hub.settings, hub.state
        self._prices = hub.prices
        self._models = hub.models
        self._policies = {alias: model.policy for alias, model in settings.models.items()}
        self._keys = key_policies(settings)
        self._local = local_upstreams(settings)
        self._standing = standing
        self._energy = Energy(settings.energy.watts, settings.energy.usd_per_kwh)
        self._simulated = {name: one.simulated for name, one in settings.upstreams.items()}
        self._write = state.journal(slot).write
        self._intern = state.names.intern
        self._budgets = Budgets(state.budgets, slot, state.arena.secret)
        self._plan = PlanReader(state.spending)
        self._purse = Purse(self._budgets, self._plan, hub.prices)
        self._clients = {name: make() for name, make in CLIENTS.items()}
        self._holds: dict[str, Hold] = {}
        self._store = store
        self.stored = stored

    def admit(self, job: Job, ask: Ask, body: bytes) -> int:
        """Raises Forbidden, ModelNotFound, PolicyRefused, BudgetExceeded, PriceUnknown."""
        self._standing.require(job.key, job.alias)
        target = self._target(job)
        self.release(job.id)  # of a try that was cut short
        request = Incoming(
            self._clients[job.protocol], job.route, body, Principal(job.key, job.tenant),
            job.rid, "", 0,
        )  # fmt: skip
        x = Exchange(request, alias=job.alias, ask=ask, targets=(target,))
        self._purse.take(x, target)
        if x.hold is None:
            return 0
        self._holds[job.id] = x.hold
        return x.hold.amount

    def _target(self, job: Job) -> Target:
        """The job's own, if its model still has it and nothing forbids it by now."""
        chain = self._models.find(job.alias)
        only = restriction(self._keys.get(job.key, ""), self._policies.get(job.alias, ""))
        name = f"{job.upstream}/{job.model}"
        found = next((t for t in permitted(only, chain, self._local) if t.name == name), None)
        if found is None:
            why = f"{only} leaves it out" if only else "its chain has changed"
            raise PolicyRefused(
                f"the model {job.alias[:100]!r} may not go to {name} any more: {why}"
            )
        return found

    def resume(self, job: Job) -> None:
        rows, _ = self._budgets.counting(
            self._plan(), key=job.key, tenant=job.tenant, model=job.model
        )
        if rows.rows:
            hold = self._budgets.reserve(rows, job.held, window_now(), force=True)
            self._holds[job.id] = hold

    def release(self, id_: str) -> None:
        hold = self._holds.pop(id_, None)
        if hold is not None:
            self._budgets.settle(hold, 0, window_now())

    def cost(self, job: Job, kind: str, usage: Usage, seconds: float) -> int:
        price = self._prices.find(kind, job.model)
        if price is None:
            return -1
        if price.free:
            return self._energy.nano(seconds)
        return cost(usage, price, batch=kind == "anthropic" and not job.soon)

    def recorded(self, rids: Iterable[int]) -> set[int]:
        return self._store.recorded(rids)

    def write(self, job: Job) -> None:
        """One record, as of a request; its time is when it ended, so that what is stored in
        order of time stays so."""
        flags = Flag.SIMULATED if self._simulated.get(job.upstream) else 0
        began = time.monotonic_ns()
        intern = self._intern
        self._write(
            began, [], job.rid, job.cost, 0, 0, job.input_tokens, job.output_tokens, 0, 0, 0, 0,
            job.key, 200, job.tenant, job.route, intern(job.model), intern(job.upstream),
            intern(job.alias), 0, flags, max(1, job.attempts), Reason.FIRST_CHOICE, 0, 0, 0, 0, 0,
            0, 0, 0,
        )  # fmt: skip
        hold = self._holds.pop(job.id, None)
        if hold is not None:
            self._budgets.settle(hold, job.cost, window_now())
            return
        self._budgets.spend(
            self._plan(), job.cost, window_now(), key=job.key, tenant=job.tenant, model=job.model
        )
