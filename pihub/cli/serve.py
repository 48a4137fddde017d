"""Run the hub: workers, control process, dashboard, in the foreground.

Without any configuration it serves simulated upstreams and keeps its files in ./.pihub;
with OLLAMA_HOST or ANTHROPIC_API_KEY set, or a pihub.toml, it serves the real ones.
SIGHUP reloads configuration and code, SIGTERM stops after the open streams.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pihub.cli import configuration, exits

if TYPE_CHECKING:
    from pihub.settings.loaded import Loaded

EXAMPLE = """Examples:
  pihub serve
  OLLAMA_HOST=127.0.0.1:11434 pihub serve
  pihub serve --config /etc/pihub/pihub.toml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    configuration.add_config(parser)


def run(args: argparse.Namespace) -> int:
    """Becomes the arbiter; returns when the hub has ended."""
    from pihub.cli import banner, first_key, simulators
    from pihub.cli.keys import check_folder
    from pihub.errors import StartupError
    from pihub.settings.paths import database

    loaded = configuration.read(args)
    check_folder(database(loaded.settings).parent)
    running = simulators.for_demo(loaded) if loaded.demo else None
    if running is not None:
        loaded = loaded.with_simulators(running.urls)
    try:
        token = None if _reloaded() else first_key.first_key(loaded)

        def ready(urls: Sequence[str]) -> None:
            print(banner.banner(loaded, urls, token), flush=True)

        return _serve(loaded, _preflight(args), ready)
    except StartupError as error:
        raise exits.Failure(error.message) from None
    finally:
        if running is not None:
            running.stop()


def _serve(loaded: Loaded, preflight: list[str], ready: Callable[[Sequence[str]], None]) -> int:
    from pihub.app import build_hub
    from pihub.server.run import run as serve

    return serve(
        lambda: loaded.settings,
        lambda settings, inherited: build_hub(replace(loaded, settings=settings), inherited),
        preflight=preflight,
        on_ready=ready,
    )


def _preflight(args: argparse.Namespace) -> list[str]:
    """The command that a reload must pass first."""
    words = [sys.executable, "-m", "pihub", "check", "--preflight"]
    return [*words, "--config", args.config] if args.config else words


def _reloaded() -> bool:
    """Whether SIGHUP led here: the banner and the key have been shown."""
    from pihub.server.handover import VARIABLE

    return VARIABLE in os.environ
