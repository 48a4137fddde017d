"""Start, stop and sudden death of the processes, with real sockets, under both engines."""

from __future__ import annotations

import http.client
import os
import resource
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.server.driver import Load, StubProcess, alive, eventually

ENGINES = ["meinheld", "gthread"]


@pytest.fixture(params=ENGINES)
def stub(request: pytest.FixtureRequest, tmp_path: Path) -> StubProcess:
    return StubProcess(tmp_path, request.param)


def test_starts_fast_and_each_process_holds_its_slot(stub: StubProcess) -> None:
    with stub:
        assert stub.seconds < 2.0  # 0.05 s on an idle machine
        facts = stub.get()
        assert facts["ppid"] == stub.pid
        assert facts["slots"][0] == stub.control_pid() == stub.ask_control()
        assert sorted(stub.children()) == sorted(pid for pid in facts["slots"] if pid)
        assert len(stub.workers()) == 2
        assert (stub.run_dir / "pihub.pid").read_text() == f"{stub.pid}\n"
        assert (stub.run_dir / "control.sock").stat().st_mode & 0o777 == 0o600
        eventually(lambda: stub.get()["ticks"] >= 2, "on_tick is called each second")


def test_no_process_leaves_an_image_of_its_memory(
    stub: StubProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever starts the hub, even where its shell allows core files; after a reload, too."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    monkeypatch.chdir(tmp_path)  # where the kernel writes them unless it is told otherwise
    try:
        with stub:
            resource.setrlimit(resource.RLIMIT_CORE, before)
            old = set(stub.children())
            stub.signal(signal.SIGHUP)
            eventually(stub.reloaded, "the program was executed again")
            eventually(lambda: not old & set(stub.children()), "the old processes have ended")
            eventually(lambda: len(stub.children()) == 3, "control and two workers")
            for pid in [stub.pid, *stub.children()]:
                (line,) = [
                    one for one in Path(f"/proc/{pid}/limits").read_text().splitlines()
                    if one.startswith("Max core file size")
                ]  # fmt: skip
                assert set(line.split()[4:6]) <= {"0", "1"}, line
            os.kill(stub.workers()[0], signal.SIGSEGV)
            eventually(lambda: "ended by signal 11" in stub.log(), "its end is noticed")
            eventually(lambda: len(stub.workers()) == 2, "a replacement")
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    assert not list(tmp_path.glob("core*"))


def test_ready_means_that_requests_are_answered(stub: StubProcess) -> None:
    stub.config["control_first"] = 0.7
    with stub:
        assert stub.get()["slots"][0] != 0
        assert stub.seconds > 0.7


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_term_lets_a_stream_end_and_refuses_new_connections(stub: StubProcess, signum: int) -> None:
    with stub:
        control = stub.control_pid()
        stream = stub.stream(count=12, gap=0.1)
        stub.signal(signum)
        eventually(lambda: _refused(stub.port), "the port is closed")
        assert alive(control), "control records what the last streams report"
        lines = stream.rest()
        assert lines[-1] == b"end"
        assert len(lines) == 12
        assert stub.process.wait(5) == 0
        assert stub.lines("control.log")[-1] == f"stop {control}"
        assert not (stub.run_dir / "pihub.pid").exists()
        assert not (stub.run_dir / "control.sock").exists()


def test_a_stream_longer_than_the_bound_is_cut_and_the_stop_is_bounded(
    stub: StubProcess,
) -> None:
    stub.config["graceful"] = 1
    with stub:
        stream = stub.stream(count=300, gap=0.1)
        started = time.monotonic()
        stub.signal(signal.SIGTERM)
        assert stub.process.wait(10) == 0
        assert time.monotonic() - started < 5
        try:
            lines = stream.rest()
        except (OSError, http.client.HTTPException):
            return
        assert lines[-1] != b"end"


def test_a_second_signal_cuts_the_wait_short(stub: StubProcess) -> None:
    with stub:
        stub.stream(count=300, gap=0.1)
        stub.signal(signal.SIGTERM)
        eventually(lambda: _refused(stub.port), "the port is closed")
        started = time.monotonic()
        stub.signal(signal.SIGINT)
        assert stub.process.wait(5) == 0
        assert time.monotonic() - started < 2


def test_a_killed_worker_is_replaced_and_the_others_go_on(stub: StubProcess) -> None:
    with stub:
        stream = stub.stream(count=15, gap=0.1)
        facts = stub.get()
        streaming = _streaming_worker(stub)
        victim = next(pid for pid in stub.workers() if pid != streaming)
        slot = facts["slots"].index(victim)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: not alive(victim), "it is dead")
        eventually(
            lambda: len(stub.workers()) == 2 and victim not in stub.workers(), "a replacement"
        )
        assert f"{slot} 1" in stub.lines("died.log")
        assert stub.get()["slots"].index(streaming) >= 1
        assert stream.rest()[-1] == b"end"
        assert "ended by signal 9" in stub.log()
        assert stub.get()["incarnations"][slot] == 2


def test_killing_a_worker_under_load_fails_only_its_own_requests(stub: StubProcess) -> None:
    with stub:
        with Load(stub.port, fresh=3, kept=3, slow=3) as load:
            eventually(lambda: len(load.answers) > 50, "the load runs")
            os.kill(stub.workers()[0], signal.SIGKILL)
            eventually(lambda: "ended by signal 9" in stub.log(), "its end is noticed")
            eventually(lambda: len(stub.workers()) == 2, "a replacement")
            count = len(load.answers)
            eventually(lambda: len(load.answers) > count + 200, "the load goes on")
        # each of the nine clients can have had one request in the killed worker
        assert len(load.failures) <= 9


def test_a_killed_control_process_is_replaced_and_requests_do_not_notice(
    stub: StubProcess,
) -> None:
    with stub, Load(stub.port) as load:
        old = stub.control_pid()
        os.kill(old, signal.SIGKILL)
        new = eventually(lambda: stub.control_pid() != old and stub.control_pid(), "a new one")
        assert stub.ask_control() == new
        assert "0 1" in stub.lines("died.log")
        count = len(load.answers)
        eventually(lambda: len(load.answers) > count + 50, "the load goes on")
    assert load.failures == []


def test_requests_to_control_wait_in_the_backlog_while_it_restarts(stub: StubProcess) -> None:
    with stub:
        old = stub.control_pid()
        os.kill(old, signal.SIGSTOP)
        eventually(lambda: _states(old) == {"T"}, "all its threads stand still")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(stub.run_dir / "control.sock"))
            os.kill(old, signal.SIGKILL)
            sock.settimeout(10)
            assert int(sock.recv(32)) == eventually(
                lambda: stub.control_pid() != old and stub.control_pid(), "a new control"
            )


def test_a_control_process_that_keeps_dying_is_held_back(tmp_path: Path) -> None:
    with StubProcess(tmp_path, "gthread", control="die") as stub:
        eventually(lambda: stub.log().count("control process") >= 4, "four deaths")
        assert "restart in 0.4 s" in stub.log()
        assert len(stub.workers()) == 2


def test_killing_the_arbiter_frees_the_port_after_a_short_drain(stub: StubProcess) -> None:
    stub.config["control_last"] = 2
    with stub:
        children = stub.children()
        control = stub.control_pid()
        stream = stub.stream(count=20, gap=0.1)
        os.kill(stub.pid, signal.SIGKILL)
        stub.process.wait(5)
        eventually(lambda: _refused(stub.port), "the port is free at once", within=1.5)
        assert alive(control), "although control and a worker have not ended yet"
        assert stream.rest()[-1] == b"end"
        eventually(lambda: not any(map(alive, children)), "no orphan is left", within=9)
        assert stub.lines("control.log")[-1] == f"stop {control}"
        assert _refused(stub.port)
    again = StubProcess(stub.folder, stub.config["engine"], listen=f"127.0.0.1:{stub.port}")
    with again:  # the stale pid file and control socket do not matter
        assert again.get()["ppid"] == again.pid


def test_more_and_fewer_workers_by_signal(stub: StubProcess) -> None:
    with stub:
        stub.signal(signal.SIGTTIN)
        eventually(lambda: len(stub.workers()) == 3, "a third worker")
        stub.signal(signal.SIGTTOU)
        eventually(lambda: len(stub.workers()) == 2, "two workers again")


@pytest.mark.slow
def test_a_worker_that_hangs_is_killed(tmp_path: Path) -> None:
    with StubProcess(tmp_path, "meinheld") as stub:
        with socket.create_connection(("127.0.0.1", stub.port)) as sock:
            sock.sendall(b"GET /hang?s=100 HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(lambda: "showed no life" in stub.log(), "it is noticed", within=50)
            sock.settimeout(5)
            with pytest.raises(ConnectionError):
                if sock.recv(1) == b"":
                    raise ConnectionError
        eventually(lambda: len(stub.workers()) == 2, "a replacement")


def _streaming_worker(stub: StubProcess) -> int:
    """The worker with an established client connection besides its listeners."""
    for pid in stub.workers():
        inodes = {
            os.readlink(f"/proc/{pid}/fd/{fd}")
            for fd in os.listdir(f"/proc/{pid}/fd")
            if os.path.islink(f"/proc/{pid}/fd/{fd}")
        }
        for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            local, state, inode = row.split()[1], row.split()[3], row.split()[9]
            established = state == "01" and int(local.split(":")[1], 16) == stub.port
            if established and f"socket:[{inode}]" in inodes:
                return pid
    raise AssertionError("no worker has the connection")


def _states(pid: int) -> set[str]:
    """Of all threads: the signal stops them one by one."""
    tasks = Path(f"/proc/{pid}/task").glob("*/stat")
    return {task.read_text().rpartition(")")[2].split()[0] for task in tasks}


def _refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False
