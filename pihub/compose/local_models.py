"""The control process's watch over local models, if there are any."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pihub.settings.addresses import is_loopback
from pihub.settings.paths import database
from pihub.shared.routing import LocalState, Speeds

if TYPE_CHECKING:
    from pihub.app import Hub

FILE = "speeds.json"


def start_local_watch(hub: Hub, stop: threading.Event) -> threading.Thread | None:
    """One thread; it ends with `stop`, after saving. None without an Ollama."""
    urls = {n: u.url for n, u in hub.settings.upstreams.items() if u.kind == "ollama"}
    if not urls:
        return None
    from pihub.ops.local_models import LocalWatch, Ollama, available

    here = {name for name, url in urls.items() if is_loopback(urlsplit(url).hostname or "")}
    watch = LocalWatch(
        {name: Ollama(url) for name, url in urls.items()},
        hub.models.all_targets(),
        Speeds(hub.state),
        LocalState(hub.state),
        database(hub.settings).with_name(FILE),
        lambda name: available() if name in here else 0,
        warm=hub.settings.routing.warm,
    )
    thread = threading.Thread(target=watch.run, args=(stop,), name="local", daemon=True)
    thread.start()
    return thread
