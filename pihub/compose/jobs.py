"""Deferred requests as a bill of materials: the worker's parts, the control process's service."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pihub.compose.job_books import JobBooks
from pihub.compose.offline import reached_by
from pihub.compose.webhooks import listen
from pihub.domain.ports import Waiter
from pihub.gateway.inspect import Inspect
from pihub.gateway.intake import Intake
from pihub.gateway.link import auth_headers
from pihub.gateway.purse import Purse
from pihub.gateway.route import Router
from pihub.http.control.jobs import JobsApp, view
from pihub.http.data.jobs import Deferred, JobList, JobsSocket, OneJob
from pihub.jobs.remote import Remote
from pihub.jobs.service import JobService
from pihub.jobs.telling import Told
from pihub.protocols.registry import UPSTREAMS
from pihub.security.keys import KeyService
from pihub.security.standing import Standing
from pihub.server.waiter_poll import PollWaiter
from pihub.settings.paths import database
from pihub.settings.sizes import parse_size
from pihub.settings.webhooks import Delivery
from pihub.shared.access import Access
from pihub.store.hooks import Due
from pihub.store.jobs import JOBS_DB, Job, JobStore
from pihub.store.metrics import MetricsStore
from pihub.upstream.connector.connector import Connector
from pihub.upstream.connector.origin import Origin
from pihub.webhooks.again import again
from pihub.webhooks.attempt import HttpTarget, Verdict
from pihub.webhooks.pause import Pause
from pihub.webhooks.resolve import SystemResolver

if TYPE_CHECKING:
    from pihub.app import Hub

log = logging.getLogger("pihub.jobs")
THREADS = 4
"""Requests of workers at once. RAM: about 100 KiB each."""


def take_socket(hub: Hub) -> Path:
    """Where workers hand deferred requests over."""
    return hub.run_dir / "jobs.sock"


def deferring(
    hub: Hub,
    connector: Connector,
    intake: Intake,
    inspect: Inspect,
    router: Router,
    purse: Purse,
) -> Deferred | None:
    """What takes a worker's chats in; None if that is switched off."""
    if not hub.settings.jobs.enabled:
        return None
    jobs = JobsSocket(connector, str(take_socket(hub)))
    return Deferred(jobs, intake, inspect, router, purse, hub.settings.subscribers)


def job_resources(
    hub: Hub, connector: Connector, waiter: Waiter, access: Access
) -> dict[str, object]:
    """Of /v1/jobs."""
    jobs = JobsSocket(connector, str(take_socket(hub)))
    return {"jobs": JobList(jobs, access, waiter), "job": OneJob(jobs, access, waiter)}


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
    """Delivers `job.ended` to the subscriber that the job names, as events are delivered."""

    def __init__(self, hub: Hub, connector: Connector) -> None:
        self._to = {
            name: (
                one.delivery,
                HttpTarget(one, hub.loaded.secrets.get(f"subscribers.{name}"), connector),
                Pause(one.delivery.failures, one.delivery.pause),
            )
            for name, one in hub.settings.subscribers.items()
        }

    def __call__(self, job: Job) -> Told:
        """By one thread at a time for each subscriber."""
        tries = job.tell_tries + 1
        if job.webhook not in self._to:  # the configuration has lost it, and may find it again
            return Told(False, again(Delivery(), tries, Verdict(False), 1.0))
        delivery, target, pause = self._to[job.webhook]
        left = pause.wait(time.monotonic())
        if left > 0:
            return Told(False, left, tried=False)
        pause.began()
        verdict = target.attempt(
            Due(
                0, bytes.fromhex(job.id.removeprefix("job_")), "pihub", job.id, "job.ended",
                int(job.ended * 1000), json.dumps(view(job)), 0, int(job.ended * 1000),
            )
        )  # fmt: skip
        pause.ended(verdict.ok or not verdict.down, time.monotonic())
        if verdict.ok:
            return Told(True)
        wait = again(delivery, tries, verdict, random.random())
        if wait is None:
            log.warning("%s: the end of %s is given up after %d attempts (%s)",
                        job.webhook, job.id, tries, verdict.error)  # fmt: skip
        return Told(False, wait)


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
        self, slot: int, metrics: MetricsStore, stored: Callable[[], bool], keys: KeyService
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
            JobBooks(hub, slot, metrics, stored, Standing(keys)),
            Teller(hub, connector),
            reached=reached_by(hub),
        )
        socket = listen(take_socket(hub))
        largest = parse_size(hub.settings.limits.body) + 64 * 1024

        def take() -> None:
            self._http(JobsApp(service), socket, self._stop, threads=THREADS, largest=largest)

        works = {
            "jobs": lambda: service.run(self._stop),
            "jobs-tell": lambda: service.telling.run(self._stop),
            "jobs-take": take,
        }
        for name, work in works.items():
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
        if self.service is not None and not any(one.is_alive() for one in self._threads):
            self.service.store.close()
