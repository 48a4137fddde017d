"""Build the hub as `serve` does, then throw it away."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from pihub.cli.exits import Failure

if TYPE_CHECKING:
    from pihub.settings.loaded import Loaded

MODULES = ("pihub.dataplane", "pihub.controlplane", "pihub.server.run")


def build(loaded: Loaded) -> None:
    """Raises Failure with the reason if the hub could not be built.

    Its run folder is a temporary one: the files of a running hub stay untouched.
    """
    from pihub.errors import StartupError

    try:
        from pihub.app import build_hub
        from pihub.server.engine_probe import require_engine
        from pihub.server.waiter_poll import PollWaiter

        for module in MODULES:
            import_module(module)
        require_engine(loaded.settings.server.engine)
        with tempfile.TemporaryDirectory(prefix="pihub-check-") as folder:
            server = msgspec.structs.replace(loaded.settings.server, run_dir=folder)
            settings = msgspec.structs.replace(loaded.settings, server=server)
            hub = build_hub(replace(loaded, settings=settings))
            hub.state.arena.claim_slot(1, os.getpid())
            hub.worker_app(1, PollWaiter())
    except StartupError as error:
        raise Failure(error.message) from None
    except Exception as error:
        raise Failure(f"the hub cannot be built: {type(error).__name__}: {error}") from error
