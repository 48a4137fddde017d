"""The simulated Ollama's machine: models are loaded, kept, evicted; requests stand in line.

As Ollama's scheduler does it (server/sched.go, its FAQ and API documentation):

- A model that is not loaded is loaded by the request that asks for it, and the load is
  aborted when that request's client leaves.
- Models that do not fit beside each other take turns: the idle one that would expire first
  goes; while none is idle, the newcomer waits.
- Another `num_ctx` than the loaded one loads the model again.
- A loaded model runs `parallel` requests at a time; more than `queue` waiting ones get 503.
- `keep_alive` counts from the end of the last request: a number of seconds or a duration
  ("5m"), below 0 for ever, 0 not at all.
- A model that is being loaded is listed by /api/ps already.
- What the last prompt of a model has in common with the next one is not read again.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

KV_BYTES = 28 * 8 * 256 * 2
"""Of the key-value cache a token: what /api/show of the simulated models says."""
FOREVER = 10**9
POLL = 0.01
"""Seconds between two looks of who waits; it also sees that a client left."""
_PART = re.compile(r"(-?\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Pauser(Protocol):
    async def pause(self, seconds: float) -> None:
        """Wait; raises Gone as soon as the client leaves."""


class Busy(Exception):
    """More requests wait than the queue holds."""


class NoRoom(Exception):
    """The model alone needs more memory than there is."""


@dataclass(slots=True)
class Speed:
    """What the machine is like; 0 is "at once" or "any number"."""

    load_mb: float = 0.0
    """Megabytes of weights a second."""
    prefill: float = 0.0
    """Prompt tokens a second."""
    parallel: int = 0
    memory_mb: float = 0.0
    context: int = 0
    """Tokens of a context that nobody asked for; 0: prompts of any length fit."""
    queue: int = 512
    keep: float = FOREVER
    """Seconds that a model stays of which nobody said how long (OLLAMA_KEEP_ALIVE)."""


PI = Speed(150.0, 40.0, parallel=1, memory_mb=6000.0, context=4096, keep=300.0)
"""About a Raspberry Pi 5 with 8 GB and a model of three billion parameters."""


@dataclass(slots=True)
class Need:
    """What one request asks of the machine. `tokens` 0: only to load the model."""

    model: str
    bytes: int
    keep_alive: float | None = None
    context: int = 0
    prompt: str = ""
    tokens: int = 0


@dataclass(slots=True)
class Took:
    """Nanoseconds, as the answer's last line tells them."""

    arrived: int = field(default_factory=time.monotonic_ns)
    load: int = 0
    prefill: int = 0
    decoding: int = 0
    """CLOCK_MONOTONIC when the first token began."""


@dataclass(slots=True)
class Model:
    """One that is loaded or just being loaded."""

    name: str
    size: int
    context: int
    loading: bool = True
    users: int = 0
    expires: float = 0.0
    """Of `time.monotonic`, while `users` is 0."""
    keep: float = 300.0
    prompt: str = ""
    line: list[object] = field(default_factory=list)
    """Its requests in the order of arrival; the first `parallel` run."""


class Machine:
    """One machine; all its calls come from one event loop."""

    def __init__(self, speed: Speed | None = None, ready: Need | None = None) -> None:
        """`ready`: what is loaded from the beginning."""
        self.speed = speed or Speed()
        self._models: dict[str, Model] = {}
        if ready is not None:
            one = Model(ready.model, ready.bytes + KV_BYTES * ready.context, ready.context)
            one.loading, one.expires = False, time.monotonic() + FOREVER
            self._models[one.name] = one
        self._waiting = 0
        self.loads = 0
        self.aborted = 0

    def running(self) -> list[Model]:
        """What /api/ps lists, the expired ones gone."""
        now = time.monotonic()
        for name, one in list(self._models.items()):
            if not one.users and not one.loading and one.expires <= now:
                del self._models[name]
        return list(self._models.values())

    def view(self) -> dict[str, Any]:
        """For the control endpoint."""
        names = [one.name for one in self.running() if not one.loading]
        return {"loaded": names, "waiting": self._waiting, "loads": self.loads,
                "aborted": self.aborted}  # fmt: skip

    def expires_at(self, one: Model) -> str:
        """RFC 3339; of a busy or loading model as if it ended now."""
        left = one.keep if one.users or one.loading else one.expires - time.monotonic()
        stamp = datetime.fromtimestamp(time.time() + left, UTC)
        return stamp.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")

    def unload(self, name: str) -> None:
        """`keep_alive: 0`: at once, or when its last request has ended."""
        one = self._models.get(name)
        if one is not None:
            one.keep = 0.0
            if not one.users:
                self._models.pop(name, None)

    @asynccontextmanager
    async def turn(self, need: Need, took: Took, reply: Pauser) -> AsyncIterator[None]:
        """The model loaded, one's turn come, the prompt read. Raises Busy, NoRoom and Gone."""
        if self._waiting >= self.speed.queue:
            raise Busy("server busy, please try again.  maximum pending requests exceeded")
        self._waiting += 1
        try:
            one = await self._loaded(need, reply)
        finally:
            self._waiting -= 1
        took.load = time.monotonic_ns() - took.arrived
        try:
            if need.tokens:
                async with self._slot(one, reply):
                    await self._read(one, need, took, reply)
                    yield
            else:
                yield
        finally:
            one.users -= 1
            one.expires = time.monotonic() + one.keep
            if not one.users and one.keep <= 0 and self._models.get(one.name) is one:
                del self._models[one.name]

    @asynccontextmanager
    async def _slot(self, one: Model, reply: Pauser) -> AsyncIterator[None]:
        """In the order of arrival, `parallel` at a time."""
        mine = object()
        one.line.append(mine)
        try:
            if self.speed.parallel:
                self._waiting += 1
                try:
                    while mine not in one.line[: self.speed.parallel]:
                        await reply.pause(POLL)
                finally:
                    self._waiting -= 1
            yield
        finally:
            one.line.remove(mine)

    async def _read(self, one: Model, need: Need, took: Took, reply: Pauser) -> None:
        """The prompt, but for what it has in common with the one before."""
        start = time.monotonic_ns()
        if self.speed.prefill and need.prompt:
            same = 0
            for a, b in zip(one.prompt, need.prompt, strict=False):
                if a != b:
                    break
                same += 1
            fresh = max(1.0, need.tokens * (1 - same / len(need.prompt)))
            await reply.pause(fresh / self.speed.prefill)
        one.prompt = need.prompt
        took.decoding = time.monotonic_ns()
        took.prefill = max(1, took.decoding - start)

    async def _loaded(self, need: Need, reply: Pauser) -> Model:
        """The model with one more user."""
        while True:
            self.running()
            one = self._models.get(need.model)
            context = need.context or (one.context if one is not None else self.speed.context)
            if one is not None and not one.loading and (one.context == context or not context):
                one.users += 1
                one.keep = self._keep(need)
                return one
            if one is None or not (one.loading or one.users):
                if one is not None:
                    del self._models[one.name]  # another context: loaded again
                if self._make_room(need.bytes + KV_BYTES * context):
                    return await self._load(need, context, reply)
            await reply.pause(POLL)

    async def _load(self, need: Need, context: int, reply: Pauser) -> Model:
        one = Model(need.model, need.bytes + KV_BYTES * context, context, keep=self._keep(need))
        self._models[one.name] = one
        self.loads += 1
        try:
            if self.speed.load_mb:
                await reply.pause(need.bytes / (self.speed.load_mb * 1e6))
        except BaseException:
            self.aborted += 1
            self._models.pop(one.name, None)
            raise
        one.loading = False
        one.users += 1
        return one

    def _keep(self, need: Need) -> float:
        return self.speed.keep if need.keep_alive is None else need.keep_alive

    def _make_room(self, size: int) -> bool:
        """Whether `size` bytes are free, idle models gone. Raises NoRoom."""
        memory = self.speed.memory_mb * 1e6
        if not memory:
            return True
        if size > memory:
            need, have = size / 2**30, memory / 2**30
            raise NoRoom(
                f"model requires more system memory ({need:.1f} GiB) than is available "
                f"({have:.1f} GiB)"
            )
        while size + sum(one.size for one in self._models.values()) > memory:
            idle = [o for o in self._models.values() if not o.users and not o.loading]
            if not idle:
                return False
            del self._models[min(idle, key=lambda one: one.expires).name]
        return True


def seconds(keep_alive: Any) -> float | None:
    """A `keep_alive` in seconds, None if nothing was said. Raises ValueError."""
    if keep_alive is None:
        return None
    if isinstance(keep_alive, (int, float)):
        return FOREVER if keep_alive < 0 else float(keep_alive)
    text = str(keep_alive)
    if re.fullmatch(r"-?\d+", text):
        return seconds(int(text))
    parts = _PART.findall(text)
    if not parts or "".join(a + b for a, b in parts) != text:
        raise ValueError(f'time: invalid duration "{text}"')
    total = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return FOREVER if total < 0 else total
