"""What the first start needs: a ready key, and the link that makes the first admin."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pihub.cli.exits import Failure

if TYPE_CHECKING:
    from pihub.security.keys import KeyService
    from pihub.settings.loaded import Loaded

DEMO_FILE = "demo.key"
"""Beside the database: the demo shows the same key at each start. It opens nothing but
simulated upstreams, so it may lie in a file (mode 0600) of its owner and be shown again;
where there are real upstreams it is revoked."""


class First(NamedTuple):
    """What is known of the hub's own database before it starts."""

    token: str | None
    """A key to show: a new one if there was none yet, or the demo's own."""
    admin: bool
    """Somebody can log in."""
    link: str | None
    """The secret of a fresh set-up link, if nobody can."""


class FirstKey:
    """The key to show, looked for or made in a child process: so neither SQLite nor its
    memory is in the image from which all workers are forked, and the parent goes on."""

    def __init__(self, loaded: Loaded, *, reloaded: bool = False) -> None:
        """`reloaded`: key and link were shown already; only look whether there is an admin,
        and whether the demo is over."""
        read, write = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(read)
            _child(loaded, write, reloaded)
        os.close(write)
        self._read = read

    def result(self) -> First:
        """Call it once, in any case: it reaps the child. Raises Failure."""
        with os.fdopen(self._read, "rb") as pipe:
            data = pipe.read()
        os.waitpid(self._child, 0)
        found: dict[str, Any] = json.loads(data) if data else {"error": "the key store failed"}
        if "error" in found:
            raise Failure(found["error"], found.get("code", 1))
        return First(found["token"], found["admin"], found["link"])


def _child(loaded: Loaded, write: int, reloaded: bool) -> None:
    """Never returns."""
    try:
        answer: dict[str, Any] = _answer(loaded, reloaded)
    except Failure as failure:
        answer = {"error": str(failure), "code": failure.code}
    except BaseException as error:  # noqa: BLE001 - told to the parent
        answer = {"error": f"the key store failed: {type(error).__name__}: {error}"}
    try:
        os.write(write, json.dumps(answer).encode())
    finally:
        os._exit(0)


def _answer(loaded: Loaded, reloaded: bool) -> dict[str, Any]:
    from pihub.cli.admin import open_files

    control = open_files(loaded.settings)
    try:
        if not loaded.demo:
            _end_demo(_file(loaded), control.keys)
        admin = control.accounts.has_admin()
        token = None if reloaded else _make(loaded, control.keys)
        link = None if admin or reloaded else control.accounts.new_link()
        return {"token": token, "admin": admin, "link": link}
    finally:
        control.close()


def _make(loaded: Loaded, keys: KeyService) -> str | None:
    file = _file(loaded)
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


def _end_demo(file: Path, keys: KeyService) -> None:
    """Revoke the demo's key before real upstreams are open to it."""
    from pihub.errors import NotFound

    kept = _kept(file)
    if kept is not None:
        with contextlib.suppress(NotFound):
            keys.revoke(kept[0])
    file.unlink(missing_ok=True)


def _file(loaded: Loaded) -> Path:
    from pihub.settings.paths import database

    return database(loaded.settings).parent / DEMO_FILE


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
