"""The watch over the machine, in the control process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pihub.ops.watch import Watch
from pihub.settings.paths import database
from pihub.settings.sizes import parse_size

if TYPE_CHECKING:
    from pihub.app import Hub


def watch(hub: Hub, stop: threading.Event) -> None:
    """Starts the thread; it ends with `stop`."""
    section = hub.settings.machine
    made = Watch(
        hub.state.machine,
        lambda: _pids(hub),
        database(hub.settings).parent,
        easing=section.ease,
        hot=section.hot,
        budget=parse_size(section.write_budget),
    )
    threading.Thread(target=made.run, args=(stop,), name="machine", daemon=True).start()


def _pids(hub: Hub) -> Iterator[int]:
    """The arbiter's and those of all slots."""
    yield os.getppid()
    for slot in range(hub.state.slots):
        pid, _, _ = hub.state.arena.slot_info(slot)
        if pid:
            yield pid
