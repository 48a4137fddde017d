"""Local models as the control process sees them: what is loaded, what fits, what was learnt.

A thread looks at each Ollama every few seconds (/api/ps; /api/show once a model) and puts
the result on the board that workers read. It loads, on a connection of its own, the models
that requests wait for: Ollama aborts a load when the client of its request leaves, this one
does not leave. What was learnt of the models' speeds goes into a file beside the database
and comes back after a restart.
Source: Ollama's API documentation; an empty /api/generate loads a model.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pihub.domain.target import Target
from pihub.shared.routing import Cell, LocalModel, LocalState, Speeds

log = logging.getLogger("pihub.local")

LOOK = 5.0
"""Seconds between two looks at an Ollama; each costs it a millisecond."""
TICK = 0.5
SAVE = 300.0
TIMEOUT = 3.0
LOADING = 900.0
RESERVE = 256 << 20
"""Bytes of free memory that are never promised."""
BYTES = 2
"""Of a number in the key-value cache (f16)."""


class Ollama:
    """One Ollama's API, for a thread that may block."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def get(self, path: str) -> dict[str, Any]:
        return self._call(path, None, TIMEOUT)

    def post(self, path: str, body: dict[str, Any], timeout: float = TIMEOUT) -> dict[str, Any]:
        return self._call(path, json.dumps(body).encode(), timeout)

    def _call(self, path: str, data: bytes | None, timeout: float) -> dict[str, Any]:
        """Raises OSError and ValueError."""
        request = urllib.request.Request(  # noqa: S310 - the configured upstream
            self._url + path, data, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            found = json.load(answer)
        if not isinstance(found, dict):
            raise ValueError("no object")
        return found


class LocalWatch:
    """The thread's work; `look` and `load_wanted` are its steps."""

    def __init__(
        self,
        ollamas: Mapping[str, Ollama],
        targets: Sequence[Target],
        speeds: Speeds,
        models: LocalState,
        path: Path,
        free: Callable[[str], int],
    ) -> None:
        """`free`: bytes of memory that an upstream may still take, 0 if unknown."""
        self._ollamas = ollamas
        self._targets = targets
        self._speeds = speeds
        self._models = models
        self._path = path
        self._free = free
        self._shown: dict[str, tuple[int, int]] = {}
        self._wanted: dict[str, int] = {}
        self._saved = b""

    def run(self, stop: threading.Event) -> None:
        self.restore()
        looked = saved = 0.0
        while not stop.wait(TICK):
            now = time.monotonic()
            loaded = self.load_wanted()
            if loaded or now - looked >= LOOK:
                self.look()
                looked = time.monotonic()
            if now - saved >= SAVE:
                self.save()
                saved = now
        self.save()

    def look(self) -> None:
        """Publish what every Ollama says now; one that does not answer has nothing loaded."""
        found: dict[str, LocalModel] = {}
        for name, ollama in self._ollamas.items():
            mine = [t for t in self._targets if t.upstream == name]
            try:
                running = running_models(ollama.get("/api/ps"))
            except (OSError, ValueError):
                running = {}
            for target in mine:
                context, size = running.get(target.model, (0, 0))
                most, cache = self._show(target, ollama)
                loaded = target.model in running
                found[target.name] = LocalModel(loaded, context, most, cache, size)
        self._models.publish(found, {name: self._free(name) for name in self._ollamas})

    def load_wanted(self) -> bool:
        """Load what requests have asked for since the last look; whether anything was."""
        did = False
        for target in self._targets:
            ollama = self._ollamas.get(target.upstream)
            if ollama is None:
                continue
            wanted = self._speeds.read(target, Cell.WANTED)[1]
            if wanted == self._wanted.setdefault(target.name, wanted):
                continue
            self._wanted[target.name] = wanted
            did = True
            try:
                ollama.post("/api/generate", {"model": target.model}, LOADING)
            except (OSError, ValueError) as error:
                log.info("%s could not be loaded: %s", target.name, type(error).__name__)
        return did

    def save(self) -> None:
        """Only if anything changed, and never half a file."""
        rows = {
            target.name: [list(self._speeds.read(target, cell)) for cell in Cell]
            for target in self._targets
        }
        data = json.dumps(rows).encode()
        if data == self._saved:
            return
        fresh = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            fresh.write_bytes(data)
            fresh.replace(self._path)
            self._saved = data

    def restore(self) -> None:
        """What an earlier hub learnt, where this one has not learnt anything yet."""
        try:
            rows = json.loads(self._path.read_bytes())
            for target in self._targets:
                for cell, (mean, count) in zip(Cell, rows.get(target.name, ()), strict=False):
                    if cell is not Cell.WANTED and not self._speeds.read(target, cell)[1]:
                        self._speeds.put(target, cell, float(mean), min(int(count), 2**31))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, AttributeError):
            log.warning("the learnt speeds cannot be read: they are learnt anew")

    def _show(self, target: Target, ollama: Ollama) -> tuple[int, int]:
        """(longest context, bytes of cache a token), asked once."""
        if target.name not in self._shown:
            try:
                self._shown[target.name] = context_of(
                    ollama.post("/api/show", {"model": target.model})
                )
            except (OSError, ValueError):
                return 0, 0
        return self._shown[target.name]


def running_models(answer: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Name to (context, bytes) of what /api/ps lists; a name without a tag is `:latest`."""
    found = {}
    for one in answer.get("models") or ():
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            figures = int(one.get("context_length") or 0), int(one.get("size") or 0)
            found[one["name"]] = figures
            found[one["name"].removesuffix(":latest")] = figures
    return found


def context_of(answer: dict[str, Any]) -> tuple[int, int]:
    """(longest context, bytes of key-value cache a token) of what /api/show says; 0: unknown.

    layers x key-value heads x (key length + value length) x 2 bytes.
    """
    info = answer.get("model_info") or {}
    kind = info.get("general.architecture", "")

    def number(name: str) -> int:
        value = info.get(f"{kind}.{name}")
        return value if isinstance(value, int) and value > 0 else 0

    heads = number("attention.head_count")
    width = number("embedding_length") // heads if heads else 0
    key, value = number("attention.key_length") or width, number("attention.value_length") or width
    shared = number("attention.head_count_kv") or heads
    return number("context_length"), number("block_count") * shared * (key + value) * BYTES


def available(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Bytes of memory that this machine could still give, less the reserve."""
    with contextlib.suppress(OSError, ValueError):
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return max(0, int(line.split()[1]) * 1024 - RESERVE)
    return 0
