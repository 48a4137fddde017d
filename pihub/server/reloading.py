"""The arbiter's reload: check first, then replace the program in place (same pid).

A part of the arbiter, in a file of its own; it uses the arbiter's fields.
"""

from __future__ import annotations

import logging
import os

from gunicorn.arbiter import Arbiter

from pihub.server.handover import Handover
from pihub.server.preflight import Preflight
from pihub.server.reexec import reexecute

log = logging.getLogger("pihub.server")


class Reloading(Arbiter):  # type: ignore[misc]  # gunicorn is untyped
    """What `HubArbiter` does about SIGHUP; `_keep_reload` belongs into each turn."""

    _preflight: Preflight | None
    _reload_asked: bool

    def _keep_reload(self, now: float) -> None:
        if self._preflight is not None:
            if now >= self._preflight.deadline:
                self._preflight.kill()
            else:
                self.signals.wake_in(self._preflight.deadline - now)
        elif self._reload_asked and self._settled(now):
            # a HUP that comes from now on leads to another reload after this one
            self._reload_asked = False
            if self._check_command:
                self._preflight = Preflight(self._check_command)
            else:
                self._reload()

    def _settled(self, now: float) -> bool:
        """Is the last start or reload complete, but for workers that still drain?

        Or does it not get there, because its workers keep dying: then only another
        reload can help.
        """
        return self.processes.worker_backoff.wait(now) > 0 or (
            self._announced
            and len(self.children.workers(self.generation)) == self.num_workers
            and all(child.stopping for child in self.children.old_workers(self.generation))
        )

    def _checked(self, failure: str | None) -> None:
        self._preflight = None
        if failure is None:
            self._reload()
        else:
            log.error("reload refused, the hub goes on as before: %s", failure)

    def _reload(self) -> None:
        log.info("reloading code and configuration")
        try:
            reexecute(
                Handover(
                    pid=os.getpid(),
                    generation=self.generation,
                    listeners=tuple(self.listeners.fds()),
                    control_listener=(str(self.control_path), self.control_listener.fileno()),
                    arena_fd=self.arena.fd,
                    boot_id=self.arena.boot_id,
                    eventfds=tuple(self.hub.state.eventfds),
                    children=tuple(self.children),
                ),
                self.log,
            )
        except Exception:
            log.exception("reload failed, the hub goes on as before")
