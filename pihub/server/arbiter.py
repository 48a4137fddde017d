"""The arbiter: which processes should live, and which should go.

A gunicorn arbiter with three additions: slots of the shared arena, a control process
beside the workers, and a reload that re-executes the arbiter in place (same pid), so
that new code and new settings take over while the old workers still answer.
One loop, no threads: each turn looks at what has become true and acts on it.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Sequence

from gunicorn import systemd

from pihub.server.application import HubApplication, control_socket
from pihub.server.children import Child
from pihub.server.control import STOP_BOUND
from pihub.server.forking import BOOT_ERROR
from pihub.server.handover import Handover
from pihub.server.listeners import Listeners, open_control
from pihub.server.pidfile import PidFile
from pihub.server.population import Population
from pihub.server.processes import Processes
from pihub.server.reloading import Reloading
from pihub.server.signals import SignalQueue
from pihub.settings.paths import run_dir
from pihub.settings.workers import bounds
from pihub.shared.heap import before_fork

KILL_MARGIN = 2.0
"""Seconds after its own bound until a stopping process is killed."""
CONTROL_WAIT = 10.0
"""Seconds that a start waits for control to publish the keys before it reports itself
ready, and a reload with a new arena before it starts workers."""
TURN = 1.0
"""Seconds between two turns when nothing happens."""

log = logging.getLogger("pihub.server")

ReadyHook = Callable[[Sequence[str]], None]


class GiveUp(Exception):
    """The first start failed for good; the message says what."""


class HubArbiter(Reloading):
    """Run with `run()`; returns the exit status."""

    def __init__(
        self,
        app: HubApplication,
        *,
        handover: Handover | None = None,
        preflight: Sequence[str] = (),
        on_ready: ReadyHook | None = None,
    ) -> None:
        self._started = time.monotonic()
        self._handover = handover
        self._check_command = preflight
        self._on_ready = on_ready
        self._preflight = None
        self._reload_asked = False
        self._announced = False
        self._stopping = False
        super().__init__(app)  # configures the log and builds the hub
        self.hub = app.hub
        self.arena = self.hub.state.arena
        before = () if handover is None else [c for c in handover.children if not c.is_control]
        self.population = Population(
            app.settings.server, bounds(app.settings), self.arena.n_slots - 1,
            len([child for child in before if not child.stopping]),
        )  # fmt: skip
        self.num_workers = self.population.wanted
        self.new_arena = handover is not None and handover.boot_id != self.arena.boot_id
        self.generation = 0 if handover is None else handover.generation + 1
        self.pidfile = PidFile(run_dir(app.settings) / "pihub.pid")

    # ---- start and main loop ------------------------------------------------------

    def start(self) -> None:
        """Sockets, signals, pid file; takes over what a former image left."""
        handover = self._handover
        self.pidfile.acquire()
        self.listeners = Listeners(self.cfg, self.log)
        self.listeners.open(
            self.cfg.settings["bind"].get(),
            () if handover is None else handover.listeners,
            range(3, 3 + systemd.listen_fds()) if handover is None else (),
        )
        self.control_path = control_socket(self.app.settings)
        self.control_listener = open_control(
            self.control_path, None if handover is None else handover.control_listener
        )
        self.signals = SignalQueue()
        self.processes = Processes(
            self.app,
            self.log,
            self.generation,
            self.signals,
            self.listeners.sockets,
            self.control_listener,
        )
        self.children = self.processes.children
        if handover is not None:
            self._adopt(handover)
        before_fork()
        self.signals.install(self.processes.ready_pipe)

    def _adopt(self, handover: Handover) -> None:
        for child in handover.children:
            self.children.add(child)
        if handover.arena_fd != self.arena.fd:
            os.close(handover.arena_fd)
        for fd in set(handover.eventfds) - set(self.hub.state.eventfds):
            os.close(fd)
        if self.new_arena:
            log.warning(
                "the new settings do not fit the shared arena: a new one was made, "
                "the cache starts cold"
            )

    def run(self) -> int:
        """Serve until a signal ends it. Raises StartupError before anything is served."""
        try:
            self.start()
        except BaseException:
            self.pidfile.remove()
            raise
        status = 0
        try:
            while not self._stopping:
                self._turn()
        except GiveUp as reason:
            log.error("%s", reason)
            status = BOOT_ERROR
        except Exception:
            log.exception("the arbiter failed; it stops all processes")
            status = 1
        self.shutdown()
        return status

    def _turn(self) -> None:
        for pid, state, child in self.processes.reap():
            self._ended(pid, state, child)
        now = time.monotonic()
        self.processes.kill_overdue(now)
        self.processes.kill_hung(now)
        self._keep_control(now)
        self._keep_number(now)
        self._keep_workers(now)
        self._keep_reload(now)
        self.signals.wait(TURN)
        self.processes.take_ready()
        for signum in self.signals.take():
            self._signalled(signum)

    def _signalled(self, signum: int) -> None:
        if signum in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            log.info("stopping (%s)", signal.Signals(signum).name)
            self._stopping = True
        elif signum == signal.SIGHUP:
            self._reload_asked = True
        elif signum == signal.SIGTTIN:
            self.population.signal(+1)
        elif signum == signal.SIGTTOU:
            self.population.signal(-1)

    def _ended(self, pid: int, status: int, child: Child | None) -> None:
        if self._preflight is not None and pid == self._preflight.pid:
            self._checked(self._preflight.failure(status))
        elif child is not None and not child.stopping:
            if self._failed_to_start(child, os.waitstatus_to_exitcode(status)):
                name = "the control process" if child.is_control else "a worker"
                raise GiveUp(f"{name} could not start, so the hub stops")
            self.processes.note_death(child, status)

    def _failed_to_start(self, child: Child, code: int) -> bool:
        """At the first start a fault in the code or the settings ends the hub: whoever
        started it must see it. Later, and after a signal, the process is replaced."""
        if self._announced or self._handover is not None or code <= 0:
            return False
        return not (self.hub.control_ready() if child.is_control else child.ready)

    # ---- policy -------------------------------------------------------------------

    def _keep_control(self, now: float) -> None:
        control = self.children.control()
        if control is None:
            if (delay := self.processes.control_backoff.wait(now)) > 0:
                self.signals.wake_in(delay)
            else:
                self.processes.spawn_control()
        elif control.generation != self.generation and not control.stopping:
            # one writer only: the new one starts when this one is gone
            self.processes.stop(control, STOP_BOUND + KILL_MARGIN)

    def _keep_number(self, now: float) -> None:
        current = self.children.workers(self.generation)
        settled = self._settled(now) and all(child.ready for child in current)
        pids = [child.pid for child in current]
        self.population.turn(now, self.hub, pids, self.listeners.sockets, settled)
        self.population.alive(now, self.log)
        self.num_workers = self.population.wanted

    def _keep_workers(self, now: float) -> None:
        current = self.children.workers(self.generation)
        old = self.children.old_workers(self.generation)
        while len(current) > self.num_workers:
            self._drain(current.pop(0))
        if len(current) < self.num_workers and self._may_start_workers(now):
            while len(current) < self.num_workers and (slot := self._free_slot()) is not None:
                current.append(self.processes.spawn_worker(slot))
        ready = all(child.ready for child in current)
        if ready and len(current) == self.num_workers:
            for child in old:
                if not child.stopping:
                    self._drain(child)
            if not self._announced and self._control_awaited(now) <= 0:
                self._announce()
        elif ready and self._free_slot() is None and not any(c.stopping for c in old):
            # no slot is left for all the new ones: make room, one by one
            for child in old[:1]:
                self._drain(child)

    def _free_slot(self) -> int | None:
        return self.children.free_slot(self.arena.n_slots, self.arena.boot_id)

    def _drain(self, worker: Child) -> None:
        self.processes.stop(worker, self.cfg.graceful_timeout + KILL_MARGIN)

    def _may_start_workers(self, now: float) -> bool:
        delay = self.processes.worker_backoff.wait(now)
        if self.new_arena and not self._announced:
            delay = max(delay, self._control_awaited(now))
        if delay > 0:
            self.signals.wake_in(delay)
        return delay <= 0

    def _control_awaited(self, now: float) -> float:
        """Seconds until to ask again; 0 once control has published the keys.

        Until then workers refuse every request. After a bound they may: better a hub
        that explains itself than none.
        """
        left = self._started + CONTROL_WAIT - now
        if left <= 0 or self.hub.control_ready():
            return 0.0
        delay = min(left, 0.05)
        self.signals.wake_in(delay)
        return delay

    def _announce(self) -> None:
        """All workers accept, and the keys are known: say so, once an image."""
        self._announced = True
        urls = self.listeners.describe()
        log.info(
            "%s: %s (%d workers, engine %s) in %.2f s",
            "ready" if self._handover is None else "reloaded",
            ", ".join(urls),
            self.num_workers,
            self.app.settings.server.engine,
            time.monotonic() - self._started,
        )
        systemd.sd_notify("READY=1\nSTATUS=serving", self.log)
        if self._on_ready is not None and self._handover is None:
            try:
                self._on_ready(urls)
            except Exception:
                log.exception("what should follow the start failed")

    # ---- stop ---------------------------------------------------------------------

    def shutdown(self) -> None:
        """Stop accepting, let streams end, stop control last: it records the rest.

        A second signal cuts the wait short.
        """
        systemd.sd_notify("STOPPING=1", self.log)
        self.listeners.close()
        for child in self.children:
            if not child.is_control and not child.stopping:
                self._drain(child)
        self._await_end(lambda child: not child.is_control)
        control = self.children.control()
        if control is not None:
            self.processes.stop(control, STOP_BOUND + KILL_MARGIN)
        self._await_end(lambda child: True)
        if self._preflight is not None:
            self._preflight.kill()
        self.control_listener.close()
        self.control_path.unlink(missing_ok=True)
        self.pidfile.remove()

    def _await_end(self, concerned: Callable[[Child], bool]) -> None:
        self.processes.reap()
        while any(concerned(child) for child in self.children):
            self.processes.kill_overdue(time.monotonic())
            self.signals.wait(TURN)
            for signum in self.signals.take():
                if signum in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                    for child in filter(concerned, self.children):
                        self.processes.signal(child, signal.SIGKILL)
            self.processes.reap()
