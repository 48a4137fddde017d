"""Start the stub hub as a program, talk to it over real sockets, keep it under load."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
STUB = Path(__file__).with_name("stub_hub.py")


def eventually(condition: Callable[[], Any], what: str, within: float = 10.0) -> Any:
    """Poll until `condition` is true and return its value; fail at the deadline."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """False for a zombie too: it has ended, whether or not init has reaped it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


class StubProcess:
    """The stub hub with its configuration file, which tests may rewrite before a HUP."""

    def __init__(self, folder: Path, engine: str, **config: Any) -> None:
        self.folder = folder
        self.run_dir = folder / "run"
        self.config: dict[str, Any] = {
            "listen": "127.0.0.1:0",
            "engine": engine,
            "workers": 2,
            "run_dir": str(self.run_dir),
            "graceful": 5,
            "text": "one",
            **config,
        }
        self.stderr = folder / "stderr"
        self.port = 0
        self.seconds = 0.0

    def configure(self, **config: Any) -> None:
        self.config.update(config)
        temporary = self.folder / "config.tmp"
        temporary.write_text(json.dumps(self.config))
        temporary.replace(self.folder / "config.json")

    def spawn(self) -> None:
        self.configure()
        with self.stderr.open("a") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, str(STUB), str(self.folder / "config.json")],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                text=True,
                start_new_session=True,
            )
        self.pid = self.process.pid

    def __enter__(self) -> Self:
        self.spawn()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(5)
            raise AssertionError(f"the stub did not start: {self.log()}")
        ready = json.loads(line)
        self.port = int(ready["urls"][0].rpartition(":")[2])
        self.seconds = ready["seconds"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        children = self.children()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        for pid in children:  # ours by descent; the death signal drains them first
            with contextlib.suppress(ProcessLookupError):
                if alive(pid):
                    os.kill(pid, signal.SIGKILL)
        if value is not None:
            print(self.log())

    def log(self) -> str:
        return self.stderr.read_text()

    def lines(self, name: str) -> list[str]:
        path = self.run_dir / name
        return path.read_text().splitlines() if path.exists() else []

    def signal(self, signum: int) -> None:
        os.kill(self.pid, signum)

    def children(self) -> list[int]:
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    def control_pid(self) -> int:
        """Of the control process that was started last."""

        def starts() -> list[str]:
            return [line for line in self.lines("control.log") if line.startswith("start")]

        return int(eventually(starts, "a control process runs")[-1].split()[1])

    def get(self, path: str = "/", timeout: float = 10.0) -> dict[str, Any]:
        """The stub's facts, over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, (response.status, body)
            facts: dict[str, Any] = json.loads(body)
            return facts
        finally:
            connection.close()

    def workers(self) -> list[int]:
        """Pids that hold a worker slot."""
        return [pid for pid in self.get()["slots"][1:] if pid]

    def stream(self, count: int, gap: float) -> Stream:
        return Stream(self.port, count, gap)

    def ask_control(self, timeout: float = 10.0) -> int:
        """Connect to the control socket; the pid of the process that answers."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(timeout)
            sock.connect(str(self.run_dir / "control.sock"))
            return int(sock.recv(32))

    def reloaded(self, times: int = 1) -> bool:
        return self.log().count("reloaded: ") >= times


class Stream:
    """An open stream: its first line is read, so the request is in flight."""

    def __init__(self, port: int, count: int, gap: float) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.connection.request("GET", f"/stream?n={count}&gap={gap}")
        self.response = self.connection.getresponse()
        assert self.response.readline() == b"0\n"

    def rest(self) -> list[bytes]:
        """Lines until the end; raises when the stream was cut."""
        try:
            return self.response.read().splitlines()
        finally:
            self.connection.close()


class Load:
    """Threads that ask without pause; every failure is kept with its kind.

    A kept-alive connection that the server closed while it was idle is no failure: the
    request is repeated once on a new connection, as HTTP clients do (RFC 9112 9.3.1).
    """

    def __init__(self, port: int, *, fresh: int = 2, kept: int = 2, slow: int = 2) -> None:
        self.port = port
        self.failures: list[str] = []
        self.answers: list[dict[str, Any]] = []
        self.reconnects = 0
        self._stop = threading.Event()
        kinds = [self._fresh] * fresh + [self._kept] * kept + [self._slow] * slow
        self._threads = [threading.Thread(target=kind, daemon=True) for kind in kinds]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(15)
            assert not thread.is_alive(), "a client of the load hangs"

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def _ask(self, connection: http.client.HTTPConnection, path: str) -> None:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise http.client.HTTPException(f"status {response.status}")
        self.answers.append(json.loads(body))

    def _loop(self, name: str, path: str, pause: float) -> None:
        while not self._stop.wait(pause):
            connection = self._connect()
            try:
                self._ask(connection, path)
            except Exception as error:
                self.failures.append(f"{name}: {error!r}")
            finally:
                connection.close()

    def _fresh(self) -> None:
        self._loop("fresh", "/", 0.002)

    def _slow(self) -> None:
        self._loop("slow", "/slow?s=0.3", 0.01)

    def _kept(self) -> None:
        connection, used = self._connect(), False
        while not self._stop.wait(0.002):
            try:
                self._ask(connection, "/")
                used = True
            except (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected) as error:
                connection.close()
                if not used:
                    self.failures.append(f"kept, first use: {error!r}")
                self.reconnects += 1
                connection, used = self._connect(), False
            except Exception as error:
                self.failures.append(f"kept: {error!r}")
                connection.close()
                connection, used = self._connect(), False
        connection.close()
