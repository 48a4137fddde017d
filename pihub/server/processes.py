"""The arbiter's hands: fork, signal, reap. What to do when is the arbiter's policy."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from pihub.server.application import HUNG, HubApplication
from pihub.server.backoff import Backoff
from pihub.server.children import CONTROL_SLOT, Child, Children
from pihub.server.control import control_main
from pihub.server.forking import fork, run_child
from pihub.server.kernel import Kernel
from pihub.server.signals import SignalQueue
from pihub.server.worker_base import PID

log = logging.getLogger("pihub.server")


class Processes:
    """Every child of this arbiter image, and those that a former image left it."""

    def __init__(
        self,
        app: HubApplication,
        gunicorn_log: Any,
        generation: int,
        signals: SignalQueue,
        public: list[Any],
        control_listener: socket.socket,
    ) -> None:
        self.children = Children()
        self.worker_backoff = Backoff()
        self.control_backoff = Backoff()
        self.generation = generation
        self._app = app
        self._hub = app.hub
        self._arena = app.hub.state.arena
        self._log = gunicorn_log
        self._signals = signals
        self._public = public
        self._control_listener = control_listener
        self._kernel = Kernel()
        self._parent = os.getpid()
        self._age = 0
        self.ready_pipe, self._ready_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def spawn_worker(self, slot: int) -> Child:
        self._age += 1
        cfg = self._app.cfg
        worker = cfg.worker_class(
            self._age, self._parent, self._public, self._app, HUNG / 2, cfg, self._log
        )
        worker.slot, worker.ready_fd, worker.kernel = slot, self._ready_w, self._kernel

        def body() -> None:
            self._control_listener.close()
            worker.init_process()

        return self._fork(slot, body, worker.tmp)

    def spawn_control(self) -> Child:
        def body() -> None:
            # an open copy would keep the port busy after the arbiter's death
            for listener in self._public:
                listener.close()
            os.close(self._ready_w)
            control_main(self._hub, self._control_listener, self._kernel, self._parent)

        return self._fork(CONTROL_SLOT, body, None)

    def _fork(self, slot: int, body: Callable[[], None], heartbeat: Any) -> Child:
        pid = fork()
        if pid == 0:
            run_child(lambda: self._in_child(body))
        child = Child(
            pid, slot, self.generation, self._arena.boot_id, time.monotonic(), heartbeat=heartbeat
        )
        self.children.add(child)
        return child

    def _in_child(self, body: Callable[[], None]) -> None:
        """Drop what is the arbiter's alone, then `body`."""
        self._signals.forget()
        os.close(self.ready_pipe)
        for sibling in self.children:
            if sibling.heartbeat is not None:
                sibling.heartbeat.close()
        body()

    def stop(self, child: Child, bound: float) -> None:
        """Ask it to end; after `bound` seconds `kill_overdue` ends it."""
        child.kill_at = time.monotonic() + bound
        self.signal(child, signal.SIGTERM)

    def signal(self, child: Child, signum: int) -> None:
        try:
            os.kill(child.pid, signum)
        except ProcessLookupError:
            pass  # ended; reaped in this or the next turn

    def kill_overdue(self, now: float) -> None:
        for child in self.children:
            if child.kill_at is None:
                continue
            if child.kill_at <= now:
                log.warning("process %d did not stop in time and is killed", child.pid)
                self.signal(child, signal.SIGKILL)
            else:
                self._signals.wake_in(child.kill_at - now)

    def kill_hung(self, now: float) -> None:
        """Workers that neither serve nor tick; control has no loop to judge it by."""
        for child in self.children:
            if child.heartbeat is None or not child.ready or child.stopping:
                continue
            if now - child.heartbeat.last_update() > HUNG:
                log.error("worker %d showed no life for %d s and is killed", child.pid, HUNG)
                self.signal(child, signal.SIGKILL)

    def take_ready(self) -> None:
        """Note the workers that accept by now."""
        try:
            data = os.read(self.ready_pipe, 64 * PID.size)
        except BlockingIOError:
            return
        for (pid,) in PID.iter_unpack(data):
            child = self.children.get(pid)
            if child is not None:
                child.ready = True

    def reap(self) -> list[tuple[int, int, Child | None]]:
        """(pid, status, child) of all that ended; what they held is free again."""
        ended: list[tuple[int, int, Child | None]] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if pid == 0:
                return ended
            child = self.children.remove(pid)
            if child is not None:
                self._free(child)
            ended.append((pid, status, child))

    def _free(self, child: Child) -> None:
        """Before its slot can be used again: locks, leases, gauges, then the slot."""
        if child.heartbeat is not None:
            child.heartbeat.close()
        if child.boot_id != self._arena.boot_id:
            return  # it lived in an arena that goes with its last process
        owner, incarnation, _ = self._arena.slot_info(child.slot)
        if owner != child.pid:
            return  # it died before it took its slot
        try:
            self._hub.process_died(child.slot, incarnation)
        except Exception:
            log.exception("cleaning up after process %d failed", child.pid)
        self._arena.release_slot(child.slot, child.pid)

    def note_death(self, child: Child, status: int) -> None:
        """An end that nobody asked for: log it, delay the replacement if it repeats."""
        now = time.monotonic()
        backoff = self.control_backoff if child.is_control else self.worker_backoff
        delay = backoff.died(now - child.born, now)
        code = os.waitstatus_to_exitcode(status)
        log.error(
            "%s %d ended %s; restart in %.1f s",
            "control process" if child.is_control else "worker",
            child.pid,
            f"by signal {-code}" if code < 0 else f"with status {code}",
            delay,
        )
