"""Events at a steady rate while processes are killed, the disk is full and the subscriber is
away: what was acknowledged must arrive, once by its key, in its object's order.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import resource
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.system.hookparts import CONFIG, ENV, Subscriber, event, signed
from tests.system.hub import HubProcess, Upstreams

DELIVERY = """
[egress]
allow = ["127.0.0.0/8"]

[subscribers.crm]
url = "http://127.0.0.1:{port}/events"
secret_env = "TEST_HOOK_SECRET"
timeout = 5
concurrency = 8
[subscribers.crm.delivery]
attempts = 100000
backoff = 0.05
max_backoff = 1.0
failures = 5
pause = 0.5
"""
BATCH = 5


@dataclass
class Plan:
    """Seconds are from the start."""

    events: int
    rate: float
    objects: int = 200
    senders: int = 16
    kills: int = 6
    arbiter_kills: int = 1
    full: tuple[float, float] = (2.0, 4.0)
    """The disk takes nothing between these."""
    away: tuple[float, float] = (5.0, 7.0)
    """The subscriber does not listen."""
    seed: int = 1
    patience: float = 60.0


@dataclass
class Report:
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    """Answers other than 2xx, and none at all; every one of them was sent again."""
    seconds: float = 0.0
    drained: float = 0.0
    """Seconds from the last acknowledgement to the last delivery."""
    deliveries: int = 0
    repeated: int = 0
    """Deliveries of a key that had come before."""
    kills: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    twice: int = 0
    disordered: int = 0
    slowest_ack_ms: float = 0.0

    @property
    def sound(self) -> bool:
        return not (self.lost or self.twice or self.disordered)


class Sender(threading.Thread):
    """Owns some objects, and sends the next events of one only after the last were taken."""

    def __init__(self, number: int, run: Torture) -> None:
        super().__init__(name=f"sender-{number}", daemon=True)
        self.number = number
        self.torture = run
        self.acknowledged = 0
        self.refused = 0
        self.slowest = 0.0
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        plan = self.torture.plan
        mine = range(self.number, plan.objects, plan.senders)
        counts = dict.fromkeys(mine, 0)
        rng = random.Random(plan.seed * 1000 + self.number)
        share = plan.events // plan.senders + (self.number < plan.events % plan.senders)
        gap = plan.senders * BATCH / plan.rate
        start = due = time.monotonic() + rng.random() * gap
        base = int(time.time() * 1000) - 3_600_000
        while self.acknowledged < share:
            about = rng.choice(mine)
            events = []
            for _ in range(min(BATCH, share - self.acknowledged)):
                events.append(event(counts[about], about, occurredAt=base + counts[about]))
                counts[about] += 1
            rng.shuffle(events)
            tries = 0
            while not self._post([{**one, "attemptNumber": tries} for one in events]):
                self.refused += 1
                tries += 1
                if time.monotonic() - start > plan.patience + plan.events / plan.rate:
                    return
                time.sleep(0.05 + rng.random() * 0.1)
            self.acknowledged += len(events)
            due += gap
            if due > time.monotonic():
                time.sleep(due - time.monotonic())

    def _post(self, events: list[dict[str, Any]]) -> bool:
        body = json.dumps(events).encode()
        begun = time.monotonic()
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(
                    "127.0.0.1", self.torture.hub.port, timeout=5.0
                )
            self._connection.request("POST", "/webhooks/hubspot", body, signed(body))
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return False
        if answer.status == 200:
            self.slowest = max(self.slowest, time.monotonic() - begun)
        return answer.status == 200


class Torture:
    def __init__(self, plan: Plan, folder: Path, upstreams: Upstreams) -> None:
        self.plan = plan
        self.subscriber = Subscriber()
        self.hub = HubProcess(
            folder, upstreams, extra=CONFIG + DELIVERY.format(port=self.subscriber.port), env=ENV
        )
        self.report = Report()
        self._rng = random.Random(plan.seed)
        self._over = threading.Event()

    def run(self) -> Report:
        plan, report = self.plan, self.report
        with self.hub:
            senders = [Sender(n, self) for n in range(plan.senders)]
            chaos = threading.Thread(target=self._chaos, daemon=True)
            start = time.monotonic()
            for thread in (*senders, chaos):
                thread.start()
            for sender in senders:
                sender.join()
            report.seconds = time.monotonic() - start
            self._over.set()
            chaos.join(60)
            report.acknowledged = sum(one.acknowledged for one in senders)
            report.refused = sum(one.refused for one in senders)
            report.slowest_ack_ms = 1000 * max(one.slowest for one in senders)
            self._wait(report.acknowledged)
            report.drained = time.monotonic() - start - report.seconds
        self.subscriber.stop()
        self._judge()
        return report

    def _wait(self, count: int) -> None:
        end = time.monotonic() + self.plan.patience
        while len(self.subscriber.done) < count and time.monotonic() < end:
            time.sleep(0.05)

    def _judge(self) -> None:
        report, done = self.report, self.subscriber.done
        seen: dict[int, list[int]] = {}
        for one in done:
            seen.setdefault(one["data"]["objectId"], []).append(one["data"]["eventId"])
        report.deliveries = sum(self.subscriber.seen.values())
        report.repeated = report.deliveries - len(done)
        distinct = sum(len(set(numbers)) for numbers in seen.values())
        report.lost = report.acknowledged - distinct
        report.twice = len(done) - distinct
        report.disordered = sum(numbers != sorted(numbers) for numbers in seen.values())

    # ---- what goes wrong --------------------------------------------------------------

    def _chaos(self) -> None:
        plan = self.plan
        start = time.monotonic()
        length = plan.events / plan.rate
        acts = [(length * (0.1 + 0.8 * self._rng.random()), self._kill) for _ in range(plan.kills)]
        acts += [(length * (0.3 + 0.4 * n), self._kill_arbiter) for n in range(plan.arbiter_kills)]
        acts += [(plan.full[0], self._fill), (plan.full[1], self._free)]
        acts += [(plan.away[0], self.subscriber.stop), (plan.away[1], self.subscriber.start)]
        for at, act in sorted(acts, key=lambda item: item[0]):
            time.sleep(max(0.0, start + at - time.monotonic()))
            act()

    def _children(self) -> list[int]:
        assert self.hub.process is not None
        pid = self.hub.process.pid
        try:
            return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            return []

    def _control(self) -> list[int]:
        """Who writes the database."""
        found = []
        for pid in self._children():
            try:
                files = {os.readlink(f) for f in Path(f"/proc/{pid}/fd").iterdir()}
            except OSError:
                continue
            if any(name.endswith("hooks.db") for name in files):
                found.append(pid)
        return found

    def _kill(self) -> None:
        control = self._control()
        victims = control if self._rng.random() < 0.6 and control else self._children()
        if victims:
            victim = self._rng.choice(victims)
            what = "control" if victim in control else "worker"
            self.report.kills[what] = self.report.kills.get(what, 0) + 1
            self._signal(victim)

    def _kill_arbiter(self) -> None:
        assert self.hub.process is not None
        self.report.kills["arbiter"] = self.report.kills.get("arbiter", 0) + 1
        family = self._children()
        self._signal(self.hub.process.pid)
        self.hub.process.wait(10)
        # The orphans end by themselves; a service manager starts it again at once.
        end = time.monotonic() + 20
        while any(Path(f"/proc/{pid}").exists() for pid in family) and time.monotonic() < end:
            time.sleep(0.02)
        self.hub.start()

    def _fill(self) -> None:
        size = max((p.stat().st_size for p in self.hub.folder.glob("hooks.db*")), default=0)
        for pid in self._control():
            self._limit(pid, max(4096, size // 2))

    def _free(self) -> None:
        for pid in self._control():
            self._limit(pid, resource.RLIM_INFINITY)

    def _limit(self, pid: int, size: int) -> None:
        try:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size if size > 0 else hard, hard))
        except (ProcessLookupError, PermissionError):
            return

    def _signal(self, pid: int) -> None:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
