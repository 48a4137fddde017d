"""Is the configured engine usable here? Asked before anything is bound or forked."""

from __future__ import annotations

import importlib
from types import ModuleType

from pihub.errors import StartupError

MARKER = "PIHUB_PORT"
"""Set in `meinheld.server` by the ported build; its value is the port's version."""

ADVICE = 'Run `make meinheld` to build it, or set `engine = "gthread"` under [server].'


def require_engine(engine: str) -> None:
    """Raise StartupError, with what to do, when `engine` cannot run safely.

    Stock meinheld 1.0.2 was written for greenlet 0.4: with any newer greenlet it reads
    past the greenlet object, so a build without the port's marker is refused.
    """
    if engine != "meinheld":
        return
    check_meinheld(_import_server(), _greenlet_version())


def check_meinheld(server: ModuleType | None, greenlet: tuple[int, ...]) -> None:
    """The decision itself; `server` is `meinheld.server` or None if it is missing."""
    if server is None:
        raise StartupError(
            'server.engine is "meinheld", but meinheld is not installed or does not load. ' + ADVICE
        )
    if hasattr(server, MARKER):
        return
    if greenlet >= (1,):
        version = ".".join(map(str, greenlet))
        raise StartupError(
            "The installed meinheld is not pihub's port: with greenlet "
            f"{version} it would corrupt memory. {ADVICE}"
        )
    raise StartupError(f"The installed meinheld is not pihub's port. {ADVICE}")


def _import_server() -> ModuleType | None:
    try:
        return importlib.import_module("meinheld.server")
    except ImportError:
        return None


def _greenlet_version() -> tuple[int, ...]:
    try:
        version: str = importlib.import_module("greenlet").__version__
    except ImportError:
        return ()
    return tuple(int(part) for part in version.split(".") if part.isdigit())
