"""Run the hub: workers, control process, dashboard, in the foreground.

Without any configuration it serves simulated upstreams and keeps its files in ./.pihub;
with OLLAMA_HOST or ANTHROPIC_API_KEY set, or a pihub.toml, it serves the real ones.
SIGHUP reloads configuration and code, SIGTERM stops after the open streams.
"""

from __future__ import annotations

import argparse
import os
import select
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pihub.cli import configuration, exits, python

if TYPE_CHECKING:
    from pihub.app import Hub
    from pihub.cli.simulators import Simulators
    from pihub.server.ports import Inherited
    from pihub.settings.loaded import Loaded
    from pihub.settings.schema import Settings

KEYS_BOUND = 3.0
"""Seconds that the banner waits for the keys to be in force."""

EXAMPLE = """Examples:
  pihub serve
  OLLAMA_HOST=127.0.0.1:11434 pihub serve
  pihub serve --config /etc/pihub/pihub.toml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    configuration.add_config(parser)


def run(args: argparse.Namespace) -> int:
    """Becomes the arbiter; returns when the hub has ended."""
    from pihub.server.deferred import defer

    defer()
    from pihub.cli import posture, simulators
    from pihub.cli.keys import check_folder
    from pihub.errors import StartupError
    from pihub.settings.paths import database

    loaded = configuration.read(args)
    check_folder(database(loaded.settings).parent)
    posture.require(loaded)
    simulated = simulators.start(loaded.settings.upstreams) if loaded.demo else None
    try:
        return _serve(loaded, simulated, _preflight(args))
    except StartupError as error:
        raise exits.Failure(error.message) from None
    finally:
        if simulated is not None:
            simulated.stop()


def _serve(loaded: Loaded, simulated: Simulators | None, preflight: list[str]) -> int:
    from pihub.cli import banner
    from pihub.cli.first_key import FirstKey

    # Both children work while this process imports.
    key = FirstKey(loaded, reloaded=_reloaded())
    try:
        from pihub.app import build_hub, plan
        from pihub.ops.machine import machine
        from pihub.server.run import run as serve

        if simulated is not None:
            loaded = loaded.with_simulators(simulated.ready())
    finally:
        first = key.result()
    narrowed = None if first.admin else narrow(loaded.settings)
    if narrowed is not None:
        loaded = replace(loaded, settings=narrowed)

    hubs: list[Hub] = []

    def build(settings: Settings, inherited: Inherited | None) -> Hub:
        hubs.append(build_hub(replace(loaded, settings=settings), inherited))
        return hubs[-1]

    def ready(urls: Sequence[str]) -> None:
        # Who copies an example at once must not be told that the keys are still loading.
        # The arbiter has nothing else to do until then.
        end = time.monotonic() + KEYS_BOUND
        while not hubs[-1].control_ready() and time.monotonic() < end:
            select.select([], [], [], 0.01)
        memory = banner.budget(plan(loaded.settings), machine().memory_cgroup)
        text = banner.banner(loaded, urls, first, narrowed=narrowed is not None, memory=memory)
        print(text, flush=True)

    return serve(
        lambda: loaded.settings,
        build,
        preflight=preflight,
        on_ready=ready,
        secrets=tuple(loaded.secrets.values()),
    )


def narrow(settings: Settings) -> Settings | None:
    """Listening on this machine only, until there is an admin; None: it is so already."""
    import msgspec

    from pihub.settings.addresses import is_loopback, listen_addresses

    wanted = listen_addresses(settings.server.listen)
    if all(is_loopback(host) for host, _ in wanted):
        return None
    texts = [
        f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        for host, port in ((h, p) if is_loopback(h) else ("127.0.0.1", p) for h, p in wanted)
    ]
    server = msgspec.structs.replace(settings.server, listen=",".join(dict.fromkeys(texts)))
    return msgspec.structs.replace(settings, server=server)


def _preflight(args: argparse.Namespace) -> list[str]:
    """The command that a reload must pass first."""
    words = [*python.module("pihub"), "check", "--preflight"]
    return [*words, "--config", args.config] if args.config else words


def _reloaded() -> bool:
    """Whether SIGHUP led here: the banner and the key have been shown."""
    from pihub.server.handover import VARIABLE

    return VARIABLE in os.environ
