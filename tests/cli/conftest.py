"""`pihub serve` as a person starts it: in an empty folder, without configuration."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def environment(**more: str) -> dict[str, str]:
    """Of this process, without anything that configures a hub."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PIHUB_")
        and name not in ("OLLAMA_HOST", "ANTHROPIC_API_KEY", "JOURNAL_STREAM")
    }
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def pihub(
    *words: str, cwd: Path, timeout: float = 30, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pihub", *words],
        cwd=cwd,
        env=environment(**environ),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def state(pid: int) -> str:
    """The process's state letter, or nothing."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for(ready: object, seconds: float = 60.0, what: str = "it") -> None:
    assert callable(ready)
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


@dataclass
class Served:
    """A running `pihub serve`."""

    folder: Path
    process: subprocess.Popen[bytes]
    engine: str

    @property
    def out(self) -> str:
        return (self.folder / "out.log").read_text()

    @property
    def err(self) -> str:
        return (self.folder / "err.log").read_text()

    @property
    def pid(self) -> int:
        return self.process.pid

    def found(self, label: str) -> str:
        """A line of the banner."""
        match = re.search(rf"^  {label}\s+(\S+)", self.out, re.MULTILINE)
        assert match, self.out + self.err
        return match[1]

    def demo_pid(self) -> int:
        for child in children(self.pid):
            if b"pihub.demo" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
        raise AssertionError("no simulators below the hub")

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        return pihub(*words, cwd=self.folder)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)


def serve(folder: Path, engine: str = "gthread", **environ: str) -> Served:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "out.log").open("wb") as out, (folder / "err.log").open("ab") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "pihub", "serve"],
            cwd=folder,
            env=environment(
                PIHUB_SERVER__LISTEN="127.0.0.1:0",
                PIHUB_SERVER__WORKERS="1",
                PIHUB_SERVER__ENGINE=engine,
                PIHUB_SERVER__GRACEFUL_TIMEOUT="2",
                PIHUB_CACHE__SIZE="4MB",
                **environ,
            ),
            stdout=out,
            stderr=err,
        )
    served = Served(folder, process, engine)
    try:
        wait_for(lambda: "is ready" in served.out or process.poll() is not None, 30, "the banner")
        assert process.poll() is None, served.err
    except BaseException:
        process.kill()
        process.wait(10)
        raise
    return served


@contextmanager
def running(folder: Path, **environ: str) -> Iterator[Served]:
    """A hub that is stopped at the end, whatever happens."""
    served = serve(folder, **environ)
    try:
        yield served
    finally:
        served.stop()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One demo hub for all tests that leave it running."""
    with running(tmp_path_factory.mktemp("served")) as made:
        yield made
