"""The hub refuses to start with a sentence that says what to do."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pihub.domain.ports import Waiter
from pihub.errors import StartupError
from pihub.server.application import prepare_run_dir, run_dir, worker_count
from pihub.server.engine_probe import MARKER, check_meinheld, require_engine
from pihub.server.listeners import open_control
from pihub.server.waiter_poll import PollWaiter
from pihub.server.worker_base import HubWorker
from pihub.settings.schema import Server, Settings, Store
from tests.server.driver import StubProcess, eventually


def start_and_fail(stub: StubProcess) -> str:
    """Exit status 2 or 3; what stderr says."""
    stub.spawn()
    assert stub.process.stdout is not None
    try:
        assert stub.process.wait(15) in (2, 3)
    finally:
        stub.process.kill()
        stub.process.stdout.close()
    return stub.log()


def test_a_missing_and_an_unported_meinheld_are_refused() -> None:
    stock = ModuleType("meinheld.server")
    with pytest.raises(StartupError, match=r'not installed.*`make meinheld`.*engine = "gthread"'):
        check_meinheld(None, (3, 5, 6))
    with pytest.raises(StartupError, match=r"greenlet 3\.5\.6 it would corrupt memory.*gthread"):
        check_meinheld(stock, (3, 5, 6))
    with pytest.raises(StartupError, match="not pihub's port"):
        check_meinheld(stock, (0, 4, 17))
    setattr(stock, MARKER, 1)
    check_meinheld(stock, (3, 5, 6))


def test_the_installed_engine_passes_the_probe() -> None:
    require_engine("meinheld")
    require_engine("gthread")


def test_the_probe_notices_a_real_unported_module(tmp_path: Path) -> None:
    package = tmp_path / "meinheld"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "server.py").write_text("def trampoline(fd): ...\n")
    code = "from pihub.server.engine_probe import require_engine; require_engine('meinheld')"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert "it would corrupt memory" in done.stderr


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        log = start_and_fail(StubProcess(tmp_path, "gthread", listen=address))
    assert f"refused: Cannot listen on {address}: Address already in use" in log
    assert "change server.listen" in log


def test_a_second_hub_with_the_same_run_directory(tmp_path: Path) -> None:
    with StubProcess(tmp_path, "gthread") as first:
        second = StubProcess(tmp_path, "gthread")
        second.stderr = tmp_path / "stderr.2"
        log = start_and_fail(second)
        assert f"already runs with the run directory {first.run_dir} (pid {first.pid})" in log
        assert first.ask_control() == first.control_pid(), "the first keeps its socket"


def test_the_factory_may_refuse(tmp_path: Path) -> None:
    log = start_and_fail(StubProcess(tmp_path, "gthread", refuse="No memory for the arena."))
    assert "refused: No memory for the arena." in log
    assert "Traceback" not in log


def test_a_control_process_that_refuses_ends_the_first_start(tmp_path: Path) -> None:
    log = start_and_fail(StubProcess(tmp_path, "gthread", control="refuse"))
    assert "The stub's control refuses to start." in log
    assert "the control process could not start, so the hub stops" in log
    assert "Traceback" not in log


def test_a_worker_that_cannot_start_ends_the_first_start_but_not_a_running_hub(
    tmp_path: Path,
) -> None:
    log = start_and_fail(StubProcess(tmp_path, "meinheld", broken=True))
    assert "ImportError: the stub's worker is broken" in log
    assert "a worker could not start, so the hub stops" in log
    with StubProcess(tmp_path, "meinheld") as stub:
        stub.configure(text="two", broken=True)
        stub.signal(signal.SIGHUP)
        eventually(lambda: stub.log().count("restart in 0.2 s") >= 1, "it is tried again")
        assert stub.get()["text"] == "one", "the old workers stay"
        stub.configure(text="three", broken=False)
        stub.signal(signal.SIGHUP)
        eventually(lambda: stub.get()["text"] == "three", "another reload repairs it")


def test_an_arena_that_another_process_made() -> None:
    class Worker(HubWorker):
        ppid = 100
        slot = 1

        def make_waiter(self) -> Waiter:
            return PollWaiter()

        class app:  # noqa: N801
            class hub:  # noqa: N801
                class state:  # noqa: N801
                    class arena:  # noqa: N801
                        creator_pid = 101

    with pytest.raises(StartupError, match="not made by this worker's arbiter"):
        Worker().claim()


def test_a_run_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match="cannot be made"):
        prepare_run_dir(Settings(server=Server(run_dir=str(tmp_path / "file" / "run"))))
    with pytest.raises(StartupError, match="too long for a unix socket"):
        prepare_run_dir(Settings(server=Server(run_dir="/tmp/" + "x" * 120)))
    settings = Settings(store=Store(url=f"sqlite://{tmp_path}/data/pihub.db"))
    prepare_run_dir(settings)
    assert run_dir(settings) == tmp_path / "data" / "run"
    assert (tmp_path / "data" / "run").stat().st_mode & 0o777 == 0o700


def test_a_control_socket_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="Cannot make the control socket"):
        open_control(tmp_path / "missing" / "control.sock", None)


@pytest.mark.parametrize(
    ("workers", "slots", "want"), [(1, 3, 1), (2, 7, 2), (4, 5, 2), (8, 2, 1), (3, 9, 3)]
)
def test_workers_fit_the_arena_twice(workers: int, slots: int, want: int) -> None:
    assert worker_count(Settings(server=Server(workers=workers)), slots) == want


def test_auto_is_a_worker_a_core_up_to_four() -> None:
    assert 1 <= worker_count(Settings(), 100) <= 4
