"""Local models as the control process sees them: what is loaded, what fits, what was learnt.

A thread looks at each Ollama every few seconds (/api/ps; /api/tags each minute; /api/show
once a model) and puts the result on the board that workers read. It has the models loaded
that requests wait for (local_loads.py), and keeps those ready that will probably be asked
for (warm.py). What was learnt of the models' speeds and hours goes into a file beside the
database and comes back after a restart.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from pihub.domain.target import Target
from pihub.ops.local_loads import Loads
from pihub.ops.warm import Hours
from pihub.shared.routing import Cell, LocalModel, LocalState, Speeds
from pihub.upstream.ask import ask_json

log = logging.getLogger("pihub.local")

LOOK = 5.0
"""Seconds between two looks at an Ollama; each costs it a millisecond."""
TICK = 0.1
LIST = 60.0
"""Seconds between two looks at what is installed."""
MOST_CARDS = 64
"""Models that /api/tags tells the size of: about 30 KiB of the board."""
KEEP_ALIVE = "1h"
"""Of models that will probably be asked for; asked again as it nears its end."""
ENDING = 120.0
SAVE = 300.0
TIMEOUT = 3.0
RESERVE = 256 << 20
"""Bytes of free memory that are never promised."""
HOURS = "hours of the day"
"""In the file, beside the models; no target has such a name."""
BYTES = 2
"""Of a number in the key-value cache (f16)."""


class Ollama:
    """One Ollama's API, for a thread that may block."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def get(self, path: str) -> dict[str, Any]:
        return self._call(path, None, TIMEOUT)

    def post(self, path: str, body: dict[str, Any], timeout: float = TIMEOUT) -> dict[str, Any]:
        return self._call(path, body, timeout)

    def _call(self, path: str, body: dict[str, Any] | None, timeout: float) -> dict[str, Any]:
        """Raises OSError and ValueError."""
        found = ask_json(self._url + path, body, timeout=timeout)
        if not isinstance(found, dict):
            raise ValueError("no object")
        return found


class Running(NamedTuple):
    """One entry of /api/ps."""

    context: int = 0
    size: int = 0
    left: float = 0.0
    """Seconds until it is unloaded."""


class LocalWatch:
    """The thread's work; `look`, `load_wanted` and `warm` are its steps."""

    def __init__(
        self,
        ollamas: Mapping[str, Ollama],
        targets: Sequence[Target],
        speeds: Speeds,
        models: LocalState,
        path: Path,
        free: Callable[[str], int],
        *,
        warm: float = 0.0,
        hours: Hours | None = None,
    ) -> None:
        """`free`: bytes of memory that an upstream may still take, 0 if unknown. `warm`:
        requests an hour from which on a model is kept ready; 0: never."""
        self._ollamas = ollamas
        self._targets = targets
        self._speeds = speeds
        self._models = models
        self._path = path
        self._free = free
        self._shown: dict[str, tuple[int, int]] = {}
        self._wanted: dict[str, int] = {}
        self._saved = b""
        self._warm = warm
        self._hours = hours or Hours()
        self._loads = Loads(ollamas, speeds)
        self._running: dict[str, dict[str, Running]] = {}
        self._cards: dict[str, dict[str, Any]] = {}
        self._sizes: dict[str, int] = {}
        self._listed = 0.0

    def run(self, stop: threading.Event) -> None:
        self.restore()
        looked = saved = 0.0
        while not stop.wait(TICK):
            now = time.monotonic()
            started = self.load_wanted()
            ended = self._loads.ended.is_set()
            self._loads.ended.clear()
            if started or ended or now - looked >= LOOK:
                self.look()
                self.warm()
                looked = time.monotonic()
            if now - saved >= SAVE:
                self.save()
                saved = now
        self.save()

    def look(self) -> None:
        """Publish what every Ollama says now; one that does not answer has nothing loaded."""
        now = time.monotonic()
        if now - self._listed >= LIST or not self._listed:
            self._listed = now
            self._list()
        found: dict[str, LocalModel] = {}
        for name, ollama in self._ollamas.items():
            mine = [t for t in self._targets if t.upstream == name]
            try:
                running = running_models(ollama.get("/api/ps"))
            except (OSError, ValueError):
                running = {}
            self._running[name] = running
            for target in mine:
                seen = running.get(target.model)
                most, cache = self._show(target, ollama)
                began = self._loads.began(target.name)
                # Ollama lists a model while it is still being loaded.
                loaded = seen is not None and not began
                context, size, _ = seen or Running()
                size = size or self._sizes.get(target.name, 0)
                found[target.name] = LocalModel(
                    loaded, context, most, cache, size, began, self._loads.failed(target.name)
                )
        free = {name: self._free(name) for name in self._ollamas}
        self._models.publish(found, free, self._cards)

    def load_wanted(self) -> bool:
        """Load what requests have asked for since the last look; whether anything was begun."""
        did = False
        for target in self._targets:
            if target.upstream not in self._ollamas:
                continue
            wanted = self._speeds.read(target, Cell.WANTED)[1]
            if wanted == self._wanted.setdefault(target.name, wanted):
                continue
            # While another is being loaded the wish stays open.
            if self._loads.began(target.name) or self._loads.start(target):
                self._wanted[target.name] = wanted
                did = True
        return did

    def warm(self) -> None:
        """Have ready what will probably be asked for: the most used first, one at a time, as
        far as it fits beside what is loaded; so nothing is ever evicted for a guess."""
        uses = {t.name: self._speeds.read(t, Cell.USED)[1] for t in self._targets}
        self._hours.count(uses)
        if not self._warm:
            return
        ranked = sorted(self._targets, key=lambda t: -self._hours.expected(t.name))
        for target in ranked:
            if self._hours.expected(target.name) < self._warm:
                return
            if target.upstream not in self._ollamas or self._loads.began(target.name):
                continue
            seen = self._running.get(target.upstream, {}).get(target.model)
            if seen is not None and seen.left > ENDING:
                continue
            if seen is None and not 0 < self._sizes.get(target.name, 0) < self._free(
                target.upstream
            ):
                continue
            if self._loads.start(target, KEEP_ALIVE):
                log.info("%s is kept ready: it is usually asked for about now", target.name)
                return

    def _list(self) -> None:
        """What is installed: its size and details, for /api/tags and for what fits."""
        cards: dict[str, dict[str, Any]] = {}
        for name, ollama in self._ollamas.items():
            try:
                installed = ollama.get("/api/tags").get("models") or ()
            except (OSError, ValueError):
                continue
            by_name = {one.get("name"): one for one in installed if isinstance(one, dict)}
            for target in self._targets:
                one = by_name.get(target.model) or by_name.get(target.model + ":latest")
                if target.upstream == name and one is not None:
                    self._sizes[target.name] = int(one.get("size") or 0)
                    if len(cards) < MOST_CARDS:
                        cards[target.name] = {
                            key: one[key]
                            for key in ("size", "digest", "modified_at", "details")
                            if key in one
                        }
        self._cards = cards

    def save(self) -> None:
        """Only if anything changed, and never half a file."""
        rows: dict[str, Any] = {
            target.name: [list(self._speeds.read(target, cell)) for cell in Cell]
            for target in self._targets
        }
        rows[HOURS] = self._hours.dump()
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
            self._hours.load(rows.get(HOURS))
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


def running_models(answer: dict[str, Any]) -> dict[str, Running]:
    """What /api/ps lists by name; a name without a tag is `:latest`."""
    found = {}
    for one in answer.get("models") or ():
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            left = _seconds_until(one.get("expires_at"))
            entry = Running(
                int(one.get("context_length") or 0), int(one.get("size") or 0), left
            )
            found[one["name"]] = entry
            found[one["name"].removesuffix(":latest")] = entry
    return found


def _seconds_until(stamp: Any) -> float:
    """A time of RFC 3339 with its zone; 0 if it is not that."""
    try:
        return datetime.fromisoformat(str(stamp)).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0


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
