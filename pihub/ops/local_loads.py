"""Loads of local models, on connections that no client's leaving closes.

Ollama aborts a load when the client of its request leaves, so a client that gives up after
thirty seconds would never see a large model loaded. Source: Ollama's API documentation; an
empty /api/generate loads a model, and with `keep_alive` says how long it stays.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol

from pihub.domain.target import Target
from pihub.shared.routing import Cell, Speeds, now_ms

log = logging.getLogger("pihub.local")

LONGEST = 900.0
"""Seconds."""
NOTICED = 0.1
"""Seconds; a load that took less was none."""


class Poster(Protocol):
    def post(self, path: str, body: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Raises OSError and ValueError."""


class Loads:
    """At most one load an Ollama at a time, each in a thread of its own. `ended` is set
    whenever one is over."""

    def __init__(self, ollamas: Mapping[str, Poster], speeds: Speeds) -> None:
        self._ollamas = ollamas
        self._speeds = speeds
        self._began: dict[str, int] = {}
        self._failed: dict[str, int] = {}
        self._busy: dict[str, threading.Thread] = {}
        self.ended = threading.Event()

    def start(self, target: Target, keep_alive: str = "") -> bool:
        """False while that Ollama is loading something: ask again."""
        busy = self._busy.get(target.upstream)
        if busy is not None and busy.is_alive():
            return False
        self._began[target.name] = now_ms()
        self._busy[target.upstream] = thread = threading.Thread(
            target=self._load, args=(target, keep_alive), name="load", daemon=True
        )
        thread.start()
        return True

    def began(self, name: str) -> int:
        """Milliseconds of CLOCK_MONOTONIC; 0: not being loaded."""
        return self._began.get(name, 0)

    def failed(self, name: str) -> int:
        """When its last load failed, in the same milliseconds; 0: it did not."""
        return self._failed.get(name, 0)

    def _load(self, target: Target, keep_alive: str) -> None:
        body: dict[str, Any] = {"model": target.model}
        if keep_alive:
            body["keep_alive"] = keep_alive
        start = time.monotonic()
        try:
            self._ollamas[target.upstream].post("/api/generate", body, LONGEST)
        except (OSError, ValueError) as error:
            self._failed[target.name] = now_ms()
            log.info("%s could not be loaded: %s", target.name, type(error).__name__)
        else:
            self._failed.pop(target.name, None)
            if (took := time.monotonic() - start) > NOTICED:
                self._speeds.learn(target, Cell.LOAD, took)
        finally:
            self._began.pop(target.name, None)
            self.ended.set()
