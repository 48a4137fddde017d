"""The caches that the core's is measured beside, each as a pair of functions (get, set).

Those that are not installed are left out and named: pip install cachetools cachebox theine
diskcache redis[hiredis] pymemcache; apt install redis-server memcached.
"""

from __future__ import annotations

import functools
import getpass
import importlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from benchmarks.core.question import Answer, Target, least
from pihub._core.arena import Arena
from pihub._core.cache import Cache

Loop = Callable[[], None]
"""Gets, or sets, each key once."""
Make = Callable[[bytes, int, ExitStack], tuple[Loop, Loop]]


def over(get: Callable[[Any], Any], put: Callable[[Any, Any], Any], names: list[Any],
         value: bytes) -> tuple[Loop, Loop]:  # fmt: skip
    def gets() -> None:
        for name in names:
            get(name)

    def sets() -> None:
        for name in names:
            put(name, value)

    return gets, sets


def pihub(value: bytes, n: int, _: ExitStack) -> tuple[Loop, Loop]:
    size = Cache.size_for(4 * n * (len(value) + 64))
    cache = Cache(Arena.create([("cache", size)], 1), "cache")
    cache.set_owner(1)
    keys = [
        ((i + 1) * 0x9E3779B97F4A7C15 % 2**64, (i + 7) * 0xBF58476D1CE4E5B9 % 2**64)
        for i in range(n)
    ]
    get, put = cache.get, cache.put

    def gets() -> None:
        for h1, h2 in keys:
            get(h1, h2, 1)

    def sets() -> None:
        for h1, h2 in keys:
            put(h1, h2, 1, value, 600.0)

    return gets, sets


def plain_dict(value: bytes, n: int, _: ExitStack) -> tuple[Loop, Loop]:
    held: dict[bytes, bytes] = {}
    return over(held.get, held.__setitem__, [b"key:%d" % i for i in range(n)], value)


def lru_cache(value: bytes, n: int, _: ExitStack) -> tuple[Loop, Loop]:
    cached = functools.lru_cache(maxsize=2 * n)(lambda _: value)
    return over(cached, lambda name, _: cached(name), [b"key:%d" % i for i in range(n)], value)


def mapping(module: str, name: str) -> Make:
    def make(value: bytes, n: int, _: ExitStack) -> tuple[Loop, Loop]:
        held = getattr(importlib.import_module(module), name)(2 * n)
        return over(held.get, held.__setitem__, [b"key:%d" % i for i in range(n)], value)

    return make


def theine(value: bytes, n: int, _: ExitStack) -> tuple[Loop, Loop]:
    held = importlib.import_module("theine").Cache(2 * n)
    return over(held.get, held.set, [f"key:{i}" for i in range(n)], value)


def diskcache(value: bytes, n: int, stack: ExitStack) -> tuple[Loop, Loop]:
    module = importlib.import_module("diskcache")
    folder = stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm"))
    held = module.Cache(folder)
    stack.callback(held.close)
    return over(held.get, held.set, list(range(n)), value)


def _server(stack: ExitStack, command: list[str], socket: Path) -> None:
    if shutil.which(command[0]) is None:
        raise ImportError(command[0])
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(server.wait)
    stack.callback(server.terminate)
    deadline = time.monotonic() + 10
    while not socket.exists():
        if time.monotonic() > deadline:
            raise ImportError(f"{command[0]} did not start")
        time.sleep(0.01)


def redis(value: bytes, n: int, stack: ExitStack) -> tuple[Loop, Loop]:
    module = importlib.import_module("redis")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    path = folder / "redis.sock"
    program = "valkey-server" if shutil.which("valkey-server") else "redis-server"
    command = [program, "--port", "0", "--unixsocket", str(path), "--save", ""]
    _server(stack, command, path)
    client = module.Redis(unix_socket_path=str(path))
    stack.callback(client.close)
    return over(client.get, client.set, list(range(n)), value)


def memcached(value: bytes, n: int, stack: ExitStack) -> tuple[Loop, Loop]:
    module = importlib.import_module("pymemcache.client.base")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    path = folder / "memcached.sock"
    _server(stack, ["memcached", "-s", str(path), "-u", getpass.getuser(), "-m", "128"], path)
    client = module.Client(str(path))
    stack.callback(client.close)
    put = functools.partial(client.set, noreply=False)
    return over(client.get, put, [str(i) for i in range(n)], value)


ALL: dict[str, Make] = {
    "dict": plain_dict,
    "pihub": pihub,
    "lru_cache": lru_cache,
    "cachetools": mapping("cachetools", "LRUCache"),
    "cachebox": mapping("cachebox", "LRUCache"),
    "theine": theine,
    "diskcache": diskcache,
    "memcached": memcached,
    "redis": redis,
}
SLOW = frozenset({"redis", "memcached", "diskcache"})
"""Microseconds a call: they take fewer turns."""


SIZES = {64: 1000, 1024: 1000, 16384: 250}
"""Bytes of a value, and how many keys."""
VERBS = ("get", "set")


def compare(
    question: str,
    verb: str,
    names: tuple[str, ...],
    wanted: Mapping[int, tuple[float, float]],
    rounds: int,
) -> Answer:
    """The contenders `names` at each size, all in one run. `wanted`: at most so many times a
    dict's time; at least so many times quicker than Redis."""
    answer = Answer(question)
    for size, keys in SIZES.items():
        with ExitStack() as stack:
            found = pairs(names, os.urandom(size), keys, stack, answer.missing)
            for _, put in found.values():
                put()
            runs = {name: pair[VERBS.index(verb)] for name, pair in found.items()}
            row = least(runs, keys, rounds * 40, SLOW)
        answer.rows[f"{verb} {size} B"] = row
        most, redis = wanted[size]
        times = row["pihub"] / row["dict"]
        answer.targets.append(Target(f"{verb} {size} B, x dict", times, most))
        if "redis" in row:
            times = row["redis"] / row["pihub"]
            what = f"{verb} {size} B, quicker than Redis"
            answer.targets.append(Target(what, times, redis, least=True))
    return answer


def one(benchmark: Any, verb: str, name: str, size: int) -> None:
    """The same of one contender, by pytest-benchmark."""
    benchmark.group = f"{verb} {size} B, all keys once"
    with ExitStack() as stack:
        try:
            pair = ALL[name](os.urandom(size), SIZES[size], stack)
        except ImportError as error:
            pytest.skip(f"{name} is not installed: {error}")
        pair[1]()
        benchmark.pedantic(pair[VERBS.index(verb)], rounds=20, warmup_rounds=1)


def pairs(
    names: tuple[str, ...], value: bytes, keys: int, stack: ExitStack, missing: list[str]
) -> dict[str, tuple[Loop, Loop]]:
    """Each contender's (gets, sets); tells those that are not here."""
    found: dict[str, tuple[Loop, Loop]] = {}
    for name in names:
        try:
            found[name] = ALL[name](value, keys, stack)
        except ImportError as error:
            missing.append(f"{name} ({error.name or error})")
    return found
