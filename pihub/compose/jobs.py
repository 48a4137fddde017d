"""Deferred requests as a bill of materials: the worker's parts, the control process's service."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pihub.compose.webhooks import listen
from pihub.domain.chat import Usage
from pihub.domain.energy import Energy
from pihub.domain.event import Reason
from pihub.domain.ports import Waiter
from pihub.domain.pricing import cost
from pihub.gateway.inspect import Inspect
from pihub.gateway.intake import Intake
from pihub.gateway.link import auth_headers
from pihub.gateway.purse import Purse
from pihub.http.control.jobs import JobsApp, view
from pihub.http.data.jobs import Deferred, JobList, JobsSocket, OneJob
from pihub.jobs.remote import Remote
from pihub.jobs.service import JobService
from pihub.ops.budgets import window_now
from pihub.protocols.registry import UPSTREAMS
from pihub.server.waiter_poll import PollWaiter
from pihub.settings.paths import database
from pihub.settings.sizes import parse_size
from pihub.shared.access import Access
from pihub.shared.budgets import Budgets
from pihub.shared.events import Flag
from pihub.shared.spending import PlanReader
from pihub.store.hooks import Due
from pihub.store.jobs import JOBS_DB, Job, JobStore
from pihub.store.metrics import MetricsStore
from pihub.upstream.connector.connector import Connector
from pihub.upstream.connector.origin import Origin
from pihub.webhooks.attempt import HttpTarget
from pihub.webhooks.resolve import SystemResolver

if TYPE_CHECKING:
    from pihub.app import Hub

log = logging.getLogger("pihub.jobs")
THREADS = 4
"""Requests of workers at once. RAM: about 100 KiB each."""


def take_socket(hub: Hub) -> Path:
    """Where workers hand deferred requests over."""
    return hub.run_dir / "jobs.sock"


def worker_jobs(
    hub: Hub,
    connector: Connector,
    waiter: Waiter,
    access: Access,
    intake: Intake,
    inspect: Inspect,
    purse: Purse,
) -> tuple[Deferred | None, dict[str, object]]:
    """What takes chats in (None if that is switched off), and the resources of /v1/jobs."""
    jobs = JobsSocket(connector, str(take_socket(hub)))
    deferred = None
    if hub.settings.jobs.enabled:
        deferred = Deferred(
            jobs, hub.models, intake, inspect, purse, hub.settings.subscribers
        )
    return deferred, {
        "jobs": JobList(jobs, access, waiter), "job": OneJob(jobs, access, waiter),
    }  # fmt: skip


class Money:
    """jobs.service.Books over the hub's ledger and budgets."""

    def __init__(
        self, hub: Hub, slot: int, store: MetricsStore, stored: Callable[[], bool]
    ) -> None:
        settings, state = hub.settings, hub.state
        self._prices = hub.prices
        self._energy = Energy(settings.energy.watts, settings.energy.usd_per_kwh)
        self._simulated = {name: one.simulated for name, one in settings.upstreams.items()}
        self._write = state.journal(slot).write
        self._intern = state.names.intern
        self._budgets = Budgets(state.budgets, slot, state.arena.secret)
        self._plan = PlanReader(state.spending)
        self._store = store
        self.stored = stored

    def cost(self, job: Job, kind: str, usage: Usage, seconds: float) -> int:
        price = self._prices.find(kind, job.model)
        if price is None:
            return -1
        if price.free:
            return self._energy.nano(seconds)
        return cost(usage, price, batch=kind == "anthropic")

    def recorded(self, rid: int) -> bool:
        return self._store.has_recent(rid)

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
        )  # fmt: skip
        self._budgets.spend(
            self._plan(), job.cost, window_now(), key=job.key, tenant=job.tenant, model=job.model
        )


def _remotes(hub: Hub, connector: Connector) -> dict[str, Remote]:
    found = {}
    for name, upstream in hub.settings.upstreams.items():
        origin, base = Origin.parse(upstream.url, ca_file=upstream.ca_file, name=name)
        found[name] = Remote(
            name, upstream.kind, UPSTREAMS[upstream.kind](), origin, base,
            auth_headers(upstream.kind, hub.loaded.secrets.get(name)), upstream.timers, connector,
            upstream.simulated,
        )  # fmt: skip
    return found


class Teller:
    """Delivers `job.ended` to the subscriber that the job names."""

    def __init__(self, hub: Hub, connector: Connector) -> None:
        self._targets = {
            name: HttpTarget(one, hub.loaded.secrets.get(f"subscribers.{name}"), connector)
            for name, one in hub.settings.subscribers.items()
        }

    def __call__(self, job: Job) -> float | None:
        target = self._targets.get(job.webhook)
        if target is None:
            return 0.0  # the configuration has lost it: given up after the usual tries
        found = target.attempt(
            Due(
                0, bytes.fromhex(job.id.removeprefix("job_")), "pihub", job.id, "job.ended",
                int(job.ended * 1000), json.dumps(view(job)), 0, int(job.ended * 1000),
            )
        )  # fmt: skip
        return None if found.ok else found.retry_after


class ControlJobs:
    """The control process's half."""

    def __init__(self, hub: Hub, serve: Callable[..., None]) -> None:
        """`serve`: as controlplane.serve."""
        self._hub = hub
        self._http = serve
        self.service: JobService | None = None
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(
        self, slot: int, metrics: MetricsStore, stored: Callable[[], bool]
    ) -> JobService | None:
        """None if they are switched off. Raises StartupError."""
        hub = self._hub
        if not hub.settings.jobs.enabled:
            return None
        connector = Connector(PollWaiter(), SystemResolver())
        self.service = service = JobService(
            JobStore(database(hub.settings).parent / JOBS_DB),
            _remotes(hub, connector),
            hub.settings.jobs,
            Money(hub, slot, metrics, stored),
            Teller(hub, connector),
        )
        socket = listen(take_socket(hub))
        largest = parse_size(hub.settings.limits.body) + 64 * 1024

        def take() -> None:
            self._http(JobsApp(service), socket, self._stop, threads=THREADS, largest=largest)

        for name, work in (("jobs", lambda: service.run(self._stop)), ("jobs-take", take)):
            self._threads.append(threading.Thread(target=work, name=name, daemon=True))
            self._threads[-1].start()
        return service

    def finish(self) -> None:
        """What was taken in is committed; what is under way goes on at the next start."""
        self._stop.set()
        if self.service is not None:
            self.service.wake()
        for thread in self._threads:
            thread.join(2.0)
