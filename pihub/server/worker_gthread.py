"""The second engine: gunicorn's threads. One thread a request, plain poll(2) waits."""

from __future__ import annotations

import threading

from gunicorn.workers.gthread import ThreadWorker

from pihub.domain.ports import Waiter
from pihub.server.waiter_poll import PollWaiter
from pihub.server.worker_base import HubWorker


class GthreadHubWorker(HubWorker, ThreadWorker):  # type: ignore[misc]  # untyped base
    """Same hub, same suite; the fallback where no meinheld wheel fits."""

    def make_waiter(self) -> Waiter:
        return PollWaiter()

    def run(self) -> None:
        for loop in self.hub.background():
            threading.Thread(target=loop, daemon=True).start()
        super().run()

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if enabled and self.ready_fd >= 0:
            self.report_ready()
        if not enabled and not self.alive:
            # now, not at the end of the drain: an open copy keeps the port accepting
            for listener in self.sockets:
                listener.close()
            self.hub.on_tick(leaving=True)  # its loop ends here, no tick will come

    def notify(self) -> None:
        """gunicorn calls it in every turn of its loop, at least once a second."""
        self.tick()
