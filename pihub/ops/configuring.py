"""The configuration as an admin changes it: checked first, kept, put in force by a reload.

The file stays the truth. What is written has been read as the hub itself will read it, with
the same environment; the arbiter reads it once more before it gives up what runs.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
import threading
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pihub.errors import BadRequest, ConfigError, Conflict
from pihub.ops.versions import Version, Versions, write_file
from pihub.settings.decode import flatten
from pihub.settings.edit import changed
from pihub.settings.faults import dotted
from pihub.settings.load import load
from pihub.settings.loaded import Loaded
from pihub.settings.meanings import NAME, Field, fields
from pihub.settings.paths import database

NEW = "pihub.toml"
"""Where a hub without a file gets one: the first place that `pihub serve` looks at."""
SECRETS = "secrets"
LARGEST = 200_000
"""Bytes of a text; the admin API's bodies end at 256 KiB."""
SOON = 0.3
"""Seconds until the reload, so that the answer is out before."""
REFUSED = 20.0
"""Seconds after which a reload that was asked for has been refused."""
_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Trial(NamedTuple):
    """What a text would be."""

    text: str
    faults: tuple[str, ...]
    """Empty: it may be applied."""
    warnings: tuple[str, ...]
    diff: str
    """Unified, against what is in the file now; empty: no difference."""


class FieldView(NamedTuple):
    """A key as it is in force."""

    key: str
    section: str
    field: Field
    value: Any
    origin: str
    """`default`, `FILE:LINE`, `env NAME` or the like."""


class ConfigDesk:
    """Thread-safe; everything is read from the disk when asked for."""

    def __init__(
        self,
        loaded: Loaded,
        reload: Callable[[], None],
        new: Path | None = None,
    ) -> None:
        """`reload` asks the arbiter; `new`: the file to make where there is none."""
        self._loaded = loaded
        self._reload = reload
        self.environ = loaded.environ
        self.folder = database(loaded.settings).parent
        self.path = (loaded.source or new or Path(NEW)).absolute()
        self._versions = Versions(self.folder)
        self._lock = threading.Lock()
        self._fields: list[Field] = []
        self._in_force = self.text()
        self._asked = float("-inf")

    # ---- looking ---------------------------------------------------------------------

    @property
    def loaded(self) -> Loaded:
        return self._loaded

    def text(self) -> str:
        """Of the file; what a first file begins with if there is none."""
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return self._first()
        except (OSError, ValueError):
            return ""

    def pending(self) -> bool:
        """Whether the file is not what this process was started with: a reload is under
        way, or was refused."""
        return self.text() != self._in_force

    def reloading(self) -> bool:
        """Whether a reload was asked for and this process still awaits its successor."""
        return time.monotonic() - self._asked < REFUSED

    def writable(self) -> bool:
        """Whether the hub may write its configuration."""
        if self.path.exists():
            return os.access(self.path, os.W_OK)
        return os.access(self.path.parent, os.W_OK)

    def advice(self) -> str:
        """What to do where it may not; else empty."""
        if self.writable():
            return ""
        return (
            f"The hub may not write {self.path}. Edit it on the machine, run `pihub check`, then "
            "send the hub SIGHUP (`systemctl reload pihub`). Or let the hub write it: give the "
            "file to the hub's user, and under systemd add its folder to ReadWritePaths "
            "(`systemctl edit pihub`)."
        )

    def field_views(self) -> list[FieldView]:
        """Every key, those of chosen names once a name, in the schema's order."""
        known = {one.path: one for one in self.known()}
        views = []
        for path, value in flatten(self._loaded.settings).items():
            field = known.get(path) or next(
                (one for one in known.values() if _fits(one.path, path)), None
            )
            if field is None:
                continue
            key = dotted(path)
            origin = self._loaded.provenance.get(key, "default")
            views.append(FieldView(key, _section(path), field, value, origin))
        return views

    def known(self) -> list[Field]:
        """Every key that there may be."""
        if not self._fields:
            self._fields = fields()
        return self._fields

    def versions(self) -> list[Version]:
        return self._versions.all()

    def version(self, number: int) -> str:
        """Its text. Raises NotFound."""
        return self._versions.text(number)

    # ---- changing --------------------------------------------------------------------

    def try_text(self, text: str) -> Trial:
        """What the hub would say of it. Nothing is changed."""
        faults: tuple[str, ...] = ()
        warnings: tuple[str, ...] = ()
        if len(text.encode()) > LARGEST:
            raise BadRequest(f"the text may have {LARGEST} bytes", param="text")
        try:
            warnings = load(self.path, self.environ, text=text).warnings
        except ConfigError as error:
            lines = error.message.splitlines()
            faults = tuple(line.strip() for line in lines[1:]) or (error.message,)
        return Trial(text, faults, warnings, self.diff(text))

    def try_changes(self, changes: Mapping[str, Any]) -> Trial:
        """The file's text with single values changed; None: back to the default.

        Raises BadRequest for a key that there is not.
        """
        wanted = {_path(key): value for key, value in changes.items()}
        for path in wanted:
            if not any(_fits(one.path, path) for one in self.known()):
                raise BadRequest(f"there is no key {dotted(path)[:100]}", param="changes")
        text = self.text()
        try:
            text = changed(text, wanted)
        except ConfigError as error:
            return Trial(text, (error.message,), (), "")
        return self.try_text(text)

    def diff(self, text: str, before: str | None = None) -> str:
        """Unified, of the file as it is, or of another text, to this one."""
        old = self.text() if before is None else before
        lines = difflib.unified_diff(
            old.splitlines(), text.splitlines(), "before", "after", lineterm="", n=2
        )
        return "\n".join(lines)

    def apply(self, trial: Trial, by: str, note: str = "") -> Version:
        """Write it and ask for a reload. Raises BadRequest for faults, Conflict if the file
        may not be written."""
        if trial.faults:
            raise BadRequest("; ".join(trial.faults)[:1000], param="text")
        if not self.writable():
            raise Conflict(self.advice())
        with self._lock:
            now = int(time.time())
            exists = self.path.exists()
            mode = stat.S_IMODE(self.path.stat().st_mode) if exists else 0o600
            try:
                if exists and self._versions.last() != self.text():
                    self._versions.add(self.text(), now, "", "as it was found")
                made = self._versions.add(trial.text, now, by, note)
                write_file(self.path, trial.text.encode(), mode)
            except OSError as error:
                raise Conflict(f"{self.path} cannot be written: {error.strerror}") from None
        self.reload_soon()
        return made

    def keep_secret(self, name: str, secret: str) -> Path:
        """Into a file of its own, mode 0600, which the configuration may name. The value
        is never read back for anybody. Raises BadRequest, Conflict."""
        if not _SECRET_NAME.fullmatch(name):
            raise BadRequest("a name has letters, digits and . _ -, at most 64", param="name")
        data = secret.strip().encode()
        if not data or any(byte < 33 or byte > 126 for byte in data):
            raise BadRequest("the secret must be visible ASCII without spaces", param="secret")
        file = self.secret_file(name)
        try:
            file.parent.mkdir(mode=0o700, exist_ok=True)
            write_file(file, data + b"\n", 0o600)
        except OSError as error:
            raise Conflict(f"the secret cannot be kept: {error.strerror}") from None
        return file

    def use_secret(self, section: str, file: Path, by: str) -> None:
        """The key of `upstreams.NAME` or `apis.NAME` is read from this file from now on.

        Raises BadRequest, Conflict.
        """
        trial = self.try_changes(
            {f"{section}.api_key_file": str(file), f"{section}.api_key_env": None}
        )
        if trial.diff or trial.faults:
            self.apply(trial, by, f"a key for {section}")
        else:
            self.reload_soon()

    def secret_file(self, name: str) -> Path:
        return self.folder / SECRETS / name

    def secrets(self) -> list[str]:
        """Names of what is kept."""
        folder = self.folder / SECRETS
        return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []

    def reload_soon(self) -> None:
        """Ask for the reload by which what was written comes in force."""
        self._asked = time.monotonic()
        timer = threading.Timer(SOON, self._reload)
        timer.daemon = True
        timer.start()

    def _first(self) -> str:
        """The beginning of a first file: what would otherwise change with it."""
        settings = self._loaded.settings
        lines = [
            "# Made by the hub's own pages. Every key: docs/settings.md",
            "",
            "[store]",
            f'url = "{settings.store.url}"',
            "",
        ]
        if self._loaded.demo:
            lines += ["[server]", "demo = true", ""]
            return "\n".join(lines)
        # What the environment named so far is named by the file from now on.
        values: dict[tuple[str, ...], Any] = {}
        for name, upstream in settings.upstreams.items():
            for key in ("kind", "url", "api_key_env"):
                if value := getattr(upstream, key):
                    values["upstreams", name, key] = value
        for name, model in settings.models.items():
            values["models", name, "chain"] = list(model.chain)
        return changed("\n".join(lines), values)


def _fits(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return len(pattern) == len(path) and all(
        a in (b, NAME) for a, b in zip(pattern, path, strict=True)
    )


def _section(path: tuple[str, ...]) -> str:
    """`server`, `upstreams.claude`: what one form shows."""
    named = path[0] in ("upstreams", "models", "apis", "webhooks", "subscribers", "actions")
    return dotted(path[:2] if named else path[:1])


def _path(key: str) -> tuple[str, ...]:
    """The parts of a dotted key, as TOML reads it. Raises BadRequest."""
    try:
        found: Any = tomllib.loads(f"{key} = 0") if "\n" not in key else {}
    except tomllib.TOMLDecodeError:
        found = {}
    parts: list[str] = []
    while isinstance(found, dict) and len(found) == 1:
        ((part, found),) = found.items()
        parts.append(part)
    if found != 0 or not parts:
        raise BadRequest(f"{key[:100]} is no key", param="changes")
    return tuple(parts)
