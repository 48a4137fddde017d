"""A ready key on the first start, so that the first request needs no other command."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pihub.cli.exits import Failure

if TYPE_CHECKING:
    from pihub.settings.loaded import Loaded

DEMO_FILE = "demo.key"
"""Beside the database: the demo shows the same key at each start. It opens nothing but
simulated upstreams, so it may lie in a file (mode 0600) of its owner."""


class FirstKey:
    """The key to show, looked for or made in a child process: so neither SQLite nor its
    memory is in the image from which all workers are forked, and the parent goes on."""

    def __init__(self, loaded: Loaded) -> None:
        read, write = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(read)
            _child(loaded, write)
        os.close(write)
        self._read = read

    def result(self) -> str | None:
        """A new key if there was none yet, the demo's own, or nothing. Call it once,
        in any case: it reaps the child. Raises Failure."""
        with os.fdopen(self._read, "rb") as pipe:
            data = pipe.read()
        os.waitpid(self._child, 0)
        found: dict[str, Any] = json.loads(data) if data else {"error": "the key store failed"}
        if "error" in found:
            raise Failure(found["error"], found.get("code", 1))
        token: str | None = found["token"]
        return token


def _child(loaded: Loaded, write: int) -> None:
    """Never returns."""
    try:
        answer: dict[str, Any] = {"token": _make(loaded)}
    except Failure as failure:
        answer = {"error": str(failure), "code": failure.code}
    except BaseException as error:  # noqa: BLE001 - told to the parent
        answer = {"error": f"the key store failed: {type(error).__name__}: {error}"}
    try:
        os.write(write, json.dumps(answer).encode())
    finally:
        os._exit(0)


def _make(loaded: Loaded) -> str | None:
    from pihub.cli.keys import open_store
    from pihub.settings.paths import database

    file = database(loaded.settings).parent / DEMO_FILE
    keys = open_store(loaded.settings)
    try:
        now = time.time()
        live = {
            row.id
            for row in keys.list()
            if not row.revoked and (not row.expires or row.expires > now)
        }
        if loaded.demo:
            kept = _kept(file)
            if kept is not None and kept[0] in live:
                return kept[1]
        elif live:
            return None
        made = keys.create("default", "demo" if loaded.demo else "first")
        if loaded.demo:
            _keep(file, made.key.id, made.token)
        return made.token
    finally:
        keys.close()


def _kept(file: Path) -> tuple[int, str] | None:
    try:
        value = json.loads(file.read_text())
        return int(value["id"]), str(value["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(file: Path, number: int, token: str) -> None:
    file.unlink(missing_ok=True)
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as out:
        json.dump({"id": number, "key": token}, out)
