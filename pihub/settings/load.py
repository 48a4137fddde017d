"""From a file and an environment to the settings, or to one error with every fault."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pihub.errors import ConfigError
from pihub.settings import environment, secrets, semantics, zero
from pihub.settings.decode import decode, flatten
from pihub.settings.faults import Fault, Faults, dotted, message
from pihub.settings.faults import Path as Key
from pihub.settings.loaded import Loaded
from pihub.settings.positions import positions

MAX_FILE = 4 << 20
"""Bytes of pihub.toml: far above any real one, and a bound on the RAM of a load."""

_AT_LINE = re.compile(r"\(at line (\d+), column (\d+)\)")


def load(
    path: Path | str | None,
    environ: Mapping[str, str],
    *,
    state_dir: Path | None = None,
    text: str | None = None,
) -> Loaded:
    """Read, check and explain the configuration; raises ConfigError with every fault.

    Without a file, `OLLAMA_HOST` and `ANTHROPIC_API_KEY` give real upstreams and a
    model `assistant`; without those too it is a demo. `state_dir`: where the database
    goes if there is no file and nobody says where. `text`: judged in the place of what the
    file holds.
    """
    raw: dict[str, Any] = {}
    origins: dict[Key, str] = {}
    if path is None:
        raw, origins = zero.tables(environ)
        if state_dir is not None:
            raw["store"] = {"url": f"sqlite://{state_dir.absolute()}/pihub.db"}
            origins["store", "url"] = "no file"
    else:
        raw, origins = _read(Path(path)) if text is None else _parse(Path(path), text)
    faults = Faults(origins)
    environment.apply(raw, environ, origins, faults)
    server = raw.get("server")
    wanted = path is None or (isinstance(server, dict) and server.get("demo") is True)
    demo = wanted and not raw.get("upstreams") and not raw.get("apis")
    if demo:
        tables, extra = zero.demo_tables()
        raw = {**tables, **raw}
        origins.update({key: text for key, text in extra.items() if key not in origins})
    settings = decode(raw, faults)
    semantics.check(settings, raw, faults)
    keys = secrets.read(settings, environ, faults)
    if path is not None and not demo and not raw.get("upstreams") and not raw.get("apis"):
        faults.warnings.append(f"{path}: no [upstreams.NAME] and no [apis.NAME]: nothing to serve")
    faults.raise_if_any()
    return Loaded(
        settings,
        {dotted(key): origins.get(key, "default") for key in flatten(settings)},
        tuple(faults.warnings),
        keys,
        None if path is None else Path(path),
        demo,
        environ,
    )


def _read(path: Path) -> tuple[dict[str, Any], dict[Key, str]]:
    """(tables, origin of every key); raises ConfigError if it is no TOML."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as exc:
        raise ConfigError(
            f"cannot read {path}: {exc.strerror}; name another with --config"
        ) from None
    if len(data) > MAX_FILE:
        raise ConfigError(f"{path} is larger than {MAX_FILE >> 20} MB: is it a configuration?")
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        line = data[: exc.start].count(b"\n") + 1
        raise ConfigError(message([Fault(f"{path}:{line}", (), "is not UTF-8")])) from None
    return _parse(path, text)


def _parse(path: Path, text: str) -> tuple[dict[str, Any], dict[Key, str]]:
    text = text.replace("\r\n", "\n")
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(message([_syntax(path, text, str(exc))])) from None
    return raw, {key: f"{path}:{line}" for key, line in positions(text).items()}


def _syntax(path: Path, text: str, words: str) -> Fault:
    """tomllib's complaint with the line in its place, the offending text never shown."""
    at = _AT_LINE.search(words)
    line = int(at[1]) if at else text.count("\n") + 1
    what = words[: at.start()].strip() if at else words.partition(" (at end")[0]
    return Fault(f"{path}:{line}", (), f"no valid TOML: {what[:1].lower()}{what[1:]}")
