"""Start a real hub as its users do, and talk to it over real sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pihub.demo.harness import Demo

Upstreams = Demo
"""The simulated upstreams with their faults (pihub/demo)."""

CONFIG = """
[server]
listen = "127.0.0.1:{port}"
engine = "{engine}"
workers = {workers}
graceful_timeout = 5

[cache]
size = "16MB"

[store]
url = "sqlite://{folder}/pihub.db"
flush = 0.2

[limits]
requests_per_minute = 1000000
burst = 100000

[upstreams.ollama]
kind = "ollama"
url = "{ollama}"
simulated = true
{timers_ollama}
[upstreams.claude]
kind = "anthropic"
url = "{claude}"
simulated = true
{timers_claude}
[upstreams.openai]
kind = "openai"
url = "{openai}"
simulated = true
{timers_openai}

[models.assistant]
chain = ["ollama/llama3.2:3b", "claude/claude-haiku-4-5"]

[models.local]
chain = ["ollama/llama3.2:3b"]

[models.cloud]
chain = ["claude/claude-haiku-4-5"]

[models.compatible]
chain = ["openai/gpt-4o-mini"]
{extra}
"""
TIMERS = """
[upstreams.{name}.timers]
connect = 1.0
headers = 1.0
first_byte = 1.0
idle = 1.0
total = 20.0
[upstreams.{name}.breaker]
failures = {failures}
window = 30.0
open = 2.0
"""


@dataclass
class Reply:
    """One HTTP answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float = 0.0

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


def free_port() -> int:
    """One that nobody listens on, below those that the kernel gives to connections
    (net.ipv4.ip_local_port_range begins at 32768): none takes it before the hub does, or while
    the hub is restarted."""
    while True:
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", random.randrange(20_000, 32_768)))
            return int(s.getsockname()[1])


@dataclass
class HubProcess:
    """`pihub serve` with a configuration of its own."""

    folder: Path
    upstreams: Demo
    engine: str = "meinheld"
    workers: int = 2
    failures: int = 100_000
    extra: str = ""
    env: dict[str, str] = field(default_factory=dict)
    port: int = 0
    key: str = ""
    process: subprocess.Popen[bytes] | None = None
    data_mb: int = 0
    """RLIMIT_DATA of each of its processes; 0: none."""

    def __enter__(self) -> Self:
        self.write_config()
        self.key = self.create_key("test")
        try:
            self.start()
        except BaseException:  # nobody will leave what was not entered
            with contextlib.suppress(AssertionError):
                self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # ---- life ----------------------------------------------------------------------

    @property
    def config(self) -> Path:
        return self.folder / "pihub.toml"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "hub.log").read_text(errors="replace")

    def write_config(self) -> None:
        self.port = self.port or free_port()
        timers = {
            f"timers_{n}": TIMERS.format(name=n, failures=self.failures)
            for n in ("ollama", "claude", "openai")
        }
        self.config.write_text(
            CONFIG.format(
                port=self.port,
                engine=self.engine,
                workers=self.workers,
                folder=self.folder,
                ollama=self.upstreams.ollama,
                claude=self.upstreams.claude,
                openai=self.upstreams.openai,
                extra=self.extra,
                **timers,
            )
        )

    def pihub(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of the CLI with this hub's configuration."""
        done = subprocess.run(
            [sys.executable, "-m", "pihub", *args, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **self.env},
        )
        if check and done.returncode:
            raise AssertionError(f"pihub {' '.join(args)}: {done.stdout}{done.stderr}")
        return done

    def create_key(self, name: str) -> str:
        text = self.pihub("keys", "create", "--tenant", "default", "--name", name).stdout
        return next(word for word in text.split() if word.startswith("ph_"))

    def start(self) -> None:
        log = (self.folder / "hub.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pihub", "serve", "--config", str(self.config)],
            stdout=log,
            stderr=log,
            env={**os.environ, **self.env},
            preexec_fn=self._limit if self.data_mb else None,
        )
        log.close()
        self.wait_ready()

    def _limit(self) -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (self.data_mb << 20, self.data_mb << 20))

    def wait_ready(self, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"the hub ended: {self.log}")
            try:
                if self.get("/readyz").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"the hub did not get ready: {self.log}")

    def stop(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
                raise AssertionError(f"the hub did not end: {self.log}") from None
        self.process = None

    # ---- talk ----------------------------------------------------------------------

    def request(
        self, method: str, path: str, body: Any = None, timeout: float = 30.0, **headers: str
    ) -> Reply:
        """`body` other than bytes is sent as JSON; header names with `_` for `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        fields = {"content-type": "application/json"}
        if not path.startswith(("/admin", "/dashboard")):
            # The control plane refuses keys of the data plane; this machine may read without one.
            fields["authorization"] = f"Bearer {self.key}"
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        start = time.monotonic()
        try:
            connection.request(method, path, data, {k: v for k, v in fields.items() if v})
            answer = connection.getresponse()
            raw = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, raw, time.monotonic() - start)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        return self.request("POST", path, body, **headers)

    def admin(self, method: str, path: str, body: Any = None) -> Reply:
        """Of the admin API through the control socket, as the hub's own user."""
        connection = http.client.HTTPConnection("localhost", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(str(self.folder / "run" / "control.sock"))
            data = None if body is None else json.dumps(body)
            headers = {} if body is None else {"content-type": "application/json"}
            connection.request(method, "/admin/api/v1" + path, data, headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()
