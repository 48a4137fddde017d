"""The simulated upstreams as a subprocess, with their control endpoints as methods.

with Demo(pace=0) as demo:
    demo.faults("ollama", "F6", times=1)
    ...
    assert demo.log("ollama")[-1]["status"] == 500
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class Demo:
    """Start with `with` or `start()`; `ollama`, `claude` and `openai` are base URLs.

    `pace` is tokens per second, 0 for no waiting; `ports` fixes some of the ports.
    """

    def __init__(
        self,
        *,
        pace: float = 0.0,
        first_token: float = 0.0,
        ports: dict[str, int] | None = None,
        python: str = sys.executable,
        host: str = "127.0.0.1",
    ) -> None:
        self._command = [python, "-m", "pihub.demo", "--with-parent", "--host", host]
        self._command += ["--pace", str(pace), "--first-token", str(first_token)]
        for name, port in (ports or {}).items():
            self._command += [f"--{name}-port", str(port)]
        self._host = host
        self._process: subprocess.Popen[str] | None = None
        self.ports: dict[str, int] = {}

    def start(self) -> Self:
        """Raises RuntimeError with the program's words if it does not come up."""
        process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._process = process
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            _, errors = process.communicate()
            self._process = None
            raise RuntimeError(f"the simulated upstreams did not start: {errors.strip()}")
        self.ports = json.loads(line)
        return self

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def url(self, server: str) -> str:
        return f"http://{self._host}:{self.ports[server]}"

    @property
    def ollama(self) -> str:
        return self.url("ollama")

    @property
    def claude(self) -> str:
        return self.url("claude")

    @property
    def openai(self) -> str:
        return self.url("openai")

    # ---- control -------------------------------------------------------------------

    def faults(self, server: str, fault: str, **options: Any) -> None:
        """Inject; the options are the fields of `pihub.demo.faults.Fault`."""
        self._call("POST", server, "faults", {"fault": fault, **options})

    def clear(self, *servers: str) -> None:
        """Remove all faults (of all servers, if none is named) and listen again."""
        for server in servers or tuple(name for name in self.ports if name != "control"):
            self._call("DELETE", server, "faults")

    def log(self, server: str) -> list[dict[str, Any]]:
        """The requests received, oldest first (see `pihub.demo.log.Entry.view`)."""
        found: list[dict[str, Any]] = self._call("GET", server, "log")
        return found

    def clear_log(self, *servers: str) -> None:
        for server in servers or tuple(name for name in self.ports if name != "control"):
            self._call("DELETE", server, "log")

    def stats(self, server: str) -> dict[str, Any]:
        """accepted and open connections, requests in all, whether it listens."""
        found: dict[str, Any] = self._call("GET", server, "stats")
        return found

    def pace(self, tokens_per_second: float, first_token: float = 0.0) -> None:
        """Of all servers, from the next token on."""
        value = {"tokens_per_second": tokens_per_second, "first_token": first_token}
        self._call("POST", next(name for name in self.ports if name != "control"), "pace", value)

    def machine(self, **speed: float) -> dict[str, Any]:
        """What Ollama runs on, from now on (the fields of `pihub.demo.machine.Speed`);
        without any: its state. `loaded`, `waiting`, `loads` and `aborted` loads."""
        method = "POST" if speed else "GET"
        found: dict[str, Any] = self._call(method, "ollama", "machine", speed or None)
        return found

    def wait_log(
        self, server: str, ready: Callable[[list[dict[str, Any]]], bool], timeout: float = 5.0
    ) -> list[dict[str, Any]]:
        """Poll the log until `ready` says so; raises TimeoutError with the log."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.log(server)
            if ready(found):
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"{server}'s log after {timeout} s: {found}")
            time.sleep(0.02)

    def _call(self, method: str, server: str, what: str, value: Any = None) -> Any:
        url = f"{self.url('control')}/{server}/__{what}__"
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(url, data=data, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - own URL
                return json.load(answer)
        except urllib.error.HTTPError as exc:
            raise ValueError(f"{method} {url}: {exc.read().decode()}") from None
