"""The entry of `pihub serve`: from settings to a served hub and back to an exit status."""

from __future__ import annotations

import logging
import os
import resource
import sys
import threading
from collections.abc import Iterable, Sequence

from pihub.server import handover as handover_module
from pihub.server.application import HubApplication
from pihub.server.arbiter import HubArbiter, ReadyHook
from pihub.server.ports import HubFactory, SettingsLoader
from pihub.server.redact import RedactingFormatter

STACK = 1 << 20
"""Bytes of each thread's stack, in all processes. The system's default of 8 MiB is only reserved,
but counts whole against RLIMIT_DATA (getrlimit(2)), with which a service bounds its memory where
the memory cgroup is off: some thirty threads of the control process would exceed the 192 to 256 MB
of a small board. Python's own frames do not lie on it (since 3.11)."""


def run(
    load: SettingsLoader,
    factory: HubFactory,
    *,
    preflight: Sequence[str] = (),
    on_ready: ReadyHook | None = None,
    secrets: Iterable[bytes] = (),
) -> int:
    """Serve in the calling process (it becomes the arbiter); returns its exit status.

    `load` reads the settings, at the start and again in the new image after a reload.
    `factory` builds the hub before the first fork. `preflight` is a command that exits
    with 0 when code and configuration could be loaded; SIGHUP runs it first. `on_ready`
    gets the URLs when all workers accept for the first time. `secrets` are hidden in logs.

    SIGHUP executes the program again with the arguments of this process
    (`sys.orig_argv`), which must lead to the same call. Raises StartupError.
    """
    threading.stack_size(STACK)
    _no_core_files()
    taken = handover_module.take(os.environ, os.getpid())
    settings = load()
    _log_to_stderr(settings.server.log_level, secrets)
    app = HubApplication(settings, factory, None if taken is None else taken.inherited())
    return HubArbiter(app, handover=taken, preflight=preflight, on_ready=on_ready).run()


def _no_core_files() -> None:
    """The image of a process that crashed would hold keys, prompts and answers: there is none, of
    this process and its children (core(5)).

    One byte, not none: a limit that no file fits in, and with which the kernel starts no program
    of core_pattern either; of 0 such a program gets the whole image, and is asked to forget it.
    """
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    except (OSError, ValueError):  # a service without the right, or a stricter limit: it stands
        pass


def _log_to_stderr(level: str, secrets: Iterable[bytes]) -> None:
    """Where nobody configured logging, `pihub` loggers write to stderr."""
    logger = logging.getLogger("pihub")
    logger.setLevel(level.upper())
    if not logger.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(
            RedactingFormatter(
                "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s", secrets
            )
        )
        logger.addHandler(handler)
        logger.propagate = False
