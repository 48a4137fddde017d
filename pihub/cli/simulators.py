"""The simulated upstreams as a child of `pihub serve`, kept across a reload."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, MutableMapping

from pihub.cli import python
from pihub.cli.exits import Failure

VARIABLE = "PIHUB_DEMO"
"""Tells the re-executed arbiter of its child: {"owner", "pid", "ports"}."""
STOP_BOUND = 3.0


class Simulators:
    """The child of this process; `ready` waits until it listens."""

    def __init__(self, pid: int, output: int = -1, ports: dict[str, int] | None = None) -> None:
        self.pid = pid
        self._output = output
        self._ports = ports

    def ready(self, environ: MutableMapping[str, str] | None = None) -> dict[str, str]:
        """Base URL of each, by name. Raises Failure if they did not start."""
        if self._ports is None:
            with os.fdopen(self._output) as pipe:
                line = pipe.readline()
            if not line:
                raise Failure("the simulated upstreams did not start: try `pihub demo`")
            self._ports = json.loads(line)
            value = {"owner": os.getpid(), "pid": self.pid, "ports": self._ports}
            (os.environ if environ is None else environ)[VARIABLE] = json.dumps(value)
        return {name: f"http://127.0.0.1:{port}" for name, port in self._ports.items()}

    def stop(self) -> None:
        """End it within STOP_BOUND seconds, and reap it if nobody did."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_BOUND
            while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > deadline:
                    os.kill(self.pid, signal.SIGKILL)
                    os.waitpid(self.pid, 0)
                    return
                select.select([], [], [], 0.01)


def start(names: Iterable[str], environ: MutableMapping[str, str] | None = None) -> Simulators:
    """Those of these names; an earlier image of this process may have left them."""
    found = _inherited(os.environ if environ is None else environ)
    if found is not None:
        return found
    # A session of its own: Ctrl-C must not take it away while the hub ends its streams.
    # It watches its parent and ends with it, however that ends.
    words = [*python.module("pihub.demo"), "--with-parent"]
    for name in ("ollama", "claude", "openai"):
        if name not in names:
            words += [f"--{name}-port", "-1"]
    read, write = os.pipe()
    child = subprocess.Popen(words, stdout=write, start_new_session=True)
    os.close(write)
    child.returncode = 0  # its end is taken note of by pid: the arbiter reaps all children
    return Simulators(child.pid, output=read)


def _inherited(environ: Mapping[str, str]) -> Simulators | None:
    try:
        value = json.loads(environ.get(VARIABLE, ""))
        if value["owner"] != os.getpid():
            return None
        os.kill(value["pid"], 0)
        return Simulators(value["pid"], ports=value["ports"])
    except (ValueError, KeyError, TypeError, ProcessLookupError):
        return None
