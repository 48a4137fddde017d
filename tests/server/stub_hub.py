"""A hub small enough to judge the processes by: run as a program, driven by tests.

    python tests/server/stub_hub.py CONFIG.json [--check]

CONFIG: listen, engine, workers, run_dir, graceful (s), arena (bytes), text, and
optionally code (a Python file whose `VERSION` is answered, to see new code arrive),
control ("die": exits at once), fail_check, refuse (message of a StartupError).
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pihub._core.arena import Arena
from pihub._core.stackpool import install
from pihub.errors import StartupError
from pihub.server.run import run
from pihub.settings.schema import Server, Settings, Store

LOADED = time.monotonic()


class State:
    def __init__(self, arena: Arena, eventfds: tuple[int, ...]) -> None:
        self.arena = arena
        self.eventfds = eventfds


class StubHub:
    def __init__(self, settings: Settings, config: dict[str, Any], state: State) -> None:
        self.settings = settings
        self.config = config
        self.state = state
        self.slot = -1
        self.scale = ""
        self.version = _code_version(config.get("code"))
        self.run_dir = Path(config["run_dir"])

    def note(self, name: str, line: str) -> None:
        with (self.run_dir / name).open("a") as file:
            file.write(line + "\n")

    def prepare_process(self) -> None:
        install()

    def background(self) -> list[Any]:
        return [self._dispatch]

    def _dispatch(self) -> None:
        while True:
            self.waiter.wait(self.state.eventfds[self.slot], deadline=float("inf"))
            os.eventfd_read(self.state.eventfds[self.slot])
            self.note("dispatched", str(os.getpid()))

    def worker_app(self, slot: int, waiter: Any) -> Any:
        self.slot, self.waiter = slot, waiter
        time.sleep(self.config.get("boot", 0))
        if self.config.get("broken"):
            raise ImportError("the stub's worker is broken")
        self.ticks = 0
        self.incarnation = self.state.arena.slot_info(slot)[1]
        return self.app

    def on_tick(self, *, leaving: bool) -> None:
        self.ticks += 1
        self.state.arena.beat(self.slot, int(time.monotonic() * 1000))

    def scaled(self, numbers: dict[str, int]) -> None:
        line = f"{numbers['workers']} {numbers['scaled_for']}"
        if line != self.scale:
            self.scale = line
            self.note("scaled", line)

    def control_ready(self) -> bool:
        """A control process has "published its keys" for this arena."""
        return (self.run_dir / f"keys-{self.state.arena.boot_id}").exists()

    def control_run(self, slot: int, listener: socket.socket, stop: threading.Event) -> None:
        time.sleep(self.config.get("control_first", 0))
        if self.config.get("control") == "refuse":
            raise StartupError("The stub's control refuses to start.")
        pid = os.getpid()
        self.note("control.log", f"start {pid}")
        self.note(f"keys-{self.state.arena.boot_id}", "published")
        if self.config.get("control") == "die":
            raise RuntimeError("the stub's control dies")
        threading.Thread(target=self._control_serve, args=(listener,), daemon=True).start()
        stop.wait()
        time.sleep(self.config.get("control_last", 0))
        self.note("control.log", f"stop {pid}")

    def _control_serve(self, listener: socket.socket) -> None:
        while True:
            client, _ = listener.accept()
            with client:
                client.sendall(str(os.getpid()).encode())

    def process_died(self, slot: int, incarnation: int) -> None:
        self.note("died.log", f"{slot} {incarnation}")

    def app(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not self.control_ready():
            start_response("503 Service Unavailable", [("content-length", "0")])
            return []
        path = environ["PATH_INFO"]
        query = dict(p.split("=") for p in environ["QUERY_STRING"].split("&") if p)
        if path == "/slow":
            self.waiter.sleep(float(query["s"]), client_fd=self.waiter.client_fd(environ))
        if path == "/stream":
            start_response("200 OK", [("content-type", "text/plain")])
            return self._stream(int(query["n"]), float(query["gap"]))
        if path == "/burn":
            end = time.process_time() + float(query["s"])
            while time.process_time() < end:
                pass
        if path == "/hang":
            time.sleep(float(query["s"]))  # what no hub may do: blocks the worker
        if path == "/length":
            body = str(len(environ["wsgi.input"].read())).encode()
        else:
            body = json.dumps(self.facts()).encode()
        start_response("200 OK", [("content-length", str(len(body)))])
        return [body]

    def _stream(self, count: int, gap: float) -> Any:
        for number in range(count):
            yield f"{number}\n".encode()
            self.waiter.sleep(gap)
        yield b"end\n"

    def facts(self) -> dict[str, Any]:
        arena = self.state.arena
        return {
            "pid": os.getpid(),
            "ppid": os.getppid(),
            "slot": self.slot,
            "incarnation": self.incarnation,
            "text": self.config["text"],
            "version": self.version,
            "boot_id": str(arena.boot_id),
            "slots": [arena.slot_info(slot)[0] for slot in range(arena.n_slots)],
            "incarnations": [arena.slot_info(slot)[1] for slot in range(arena.n_slots)],
            "ticks": self.ticks,
        }


def _code_version(path: str | None) -> int:
    if path is None:
        return 0
    spec = importlib.util.spec_from_file_location("stub_code", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return int(module.VERSION)


def load(path: str) -> tuple[Settings, dict[str, Any]]:
    config = json.loads(Path(path).read_text())
    settings = Settings(
        server=Server(
            **{
                "listen": config["listen"],
                "engine": config["engine"],
                "workers": config["workers"],
                "threads": config.get("threads", 32),
                "keepalive": float(config.get("keepalive", 75)),
                "graceful_timeout": float(config["graceful"]),
                "run_dir": config["run_dir"],
                **config.get("server", {}),
            }
        ),
        store=Store(url=f"sqlite://{config['run_dir']}/pihub.db"),
    )
    return settings, config


def main() -> int:
    path = sys.argv[1]
    settings, config = load(path)
    if "--check" in sys.argv:
        if config.get("fail_check"):
            print("the stub's check says no")
            return 1
        _code_version(config.get("code"))
        return 0

    def factory(settings: Settings, inherited: Any) -> StubHub:
        if config.get("refuse"):
            raise StartupError(config["refuse"])
        most = config.get("server", {}).get("max_workers") or config["workers"]
        workers = 2 * most if config.get("spare", True) else most
        regions = [("data", int(config.get("arena", 65536)))]
        state = None
        if inherited is not None:
            arena = Arena.attach(inherited.arena_fd)
            if arena.region("data")[1] == regions[0][1] and arena.n_slots == workers + 1:
                state = State(arena, inherited.eventfds)
        if state is None:
            fds = tuple(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(workers + 1))
            state = State(Arena.create(regions, workers), fds)
        return StubHub(settings, config, state)

    def ready(urls: Any) -> None:
        print(json.dumps({"urls": list(urls), "seconds": time.monotonic() - LOADED}), flush=True)

    try:
        return run(
            lambda: settings,
            factory,
            preflight=[sys.executable, os.path.abspath(__file__), path, "--check"],
            on_ready=ready,
        )
    except StartupError as error:
        print(f"refused: {error.message}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
