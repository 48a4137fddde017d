"""The simulated upstreams as a child of `pihub serve`, kept across a reload."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pihub.cli.exits import Failure

if TYPE_CHECKING:
    from pihub.settings.loaded import Loaded

VARIABLE = "PIHUB_DEMO"
"""Tells the re-executed arbiter of its child: {"owner", "pid", "ports"}."""


@dataclass(frozen=True)
class Running:
    """The child: its ports by name, among them `control` for its faults."""

    pid: int
    ports: dict[str, int]

    @property
    def urls(self) -> dict[str, str]:
        return {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}

    def stop(self) -> None:
        """Ask it to end; whoever waits for children reaps it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def for_demo(loaded: Loaded, environ: MutableMapping[str, str] | None = None) -> Running:
    """The child of this process, started unless an earlier image of it has one."""
    environ = os.environ if environ is None else environ
    found = _inherited(environ)
    if found is not None:
        return found
    running = _start([name for name in ("ollama", "claude") if name in loaded.settings.upstreams])
    value = {"owner": os.getpid(), "pid": running.pid, "ports": running.ports}
    environ[VARIABLE] = json.dumps(value)
    return running


def _start(names: list[str]) -> Running:
    # A session of its own: Ctrl-C must not take it away while the hub ends its streams.
    # It watches its parent and ends with it, however that ends.
    words = [sys.executable, "-m", "pihub.demo", "--with-parent"]
    for name in ("ollama", "claude", "openai"):
        if name not in names:
            words += [f"--{name}-port", "-1"]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout is not None
    with child.stdout:
        line = child.stdout.readline()
    if not line:
        raise Failure(f"the simulated upstreams did not start (exit code {child.wait()})")
    child.returncode = 0  # the arbiter reaps its children itself
    return Running(child.pid, json.loads(line))


def _inherited(environ: MutableMapping[str, str]) -> Running | None:
    try:
        value = json.loads(environ.get(VARIABLE, ""))
        if value["owner"] != os.getpid():
            return None
        os.kill(value["pid"], 0)
        return Running(value["pid"], value["ports"])
    except (ValueError, KeyError, TypeError, ProcessLookupError):
        return None
