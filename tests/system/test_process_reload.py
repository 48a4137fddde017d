"""SIGHUP: new code and configuration without a failed request, under both engines."""

from __future__ import annotations

import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from tests.server.driver import Load, StubProcess, alive, eventually

ENGINES = ["meinheld", "gthread"]


@pytest.fixture(params=ENGINES)
def stub(request: pytest.FixtureRequest, tmp_path: Path) -> StubProcess:
    return StubProcess(tmp_path, request.param)


def test_code_and_configuration_change_without_a_failed_request(
    stub: StubProcess, tmp_path: Path
) -> None:
    code = tmp_path / "code.py"
    code.write_text("VERSION = 1\n")
    stub.config["code"] = str(code)
    with stub:
        before = stub.get()
        control = stub.control_pid()
        old = stub.workers()
        with Load(stub.port) as load:
            eventually(lambda: len(load.answers) > 50, "the load runs")
            code.write_text("VERSION = 2  # longer, so that no stale bytecode fits\n")
            stub.configure(text="two")
            stub.signal(signal.SIGHUP)
            eventually(stub.reloaded, "the reload")
            eventually(lambda: not any(map(alive, old)), "the old workers are gone")
            count = len(load.answers)
            eventually(lambda: len(load.answers) > count + 50, "the load goes on")
        assert load.failures == []
        after = stub.get()
        assert (before["text"], before["version"]) == ("one", 1)
        assert (after["text"], after["version"]) == ("two", 2)
        assert after["ppid"] == stub.pid, "the arbiter keeps its pid"
        assert after["boot_id"] == before["boot_id"], "the arena lives on"
        assert {answer["text"] for answer in load.answers} == {"one", "two"}
        assert stub.ask_control() == stub.control_pid() != control
        assert _one_writer(stub)
        assert stub.process.poll() is None


def test_a_stream_that_is_open_during_a_reload_ends_as_it_began(stub: StubProcess) -> None:
    with stub:
        stream = stub.stream(count=25, gap=0.1)
        stub.configure(text="two")
        stub.signal(signal.SIGHUP)
        eventually(lambda: stub.get()["text"] == "two", "new workers answer")
        lines = stream.rest()
        assert len(lines) == 25
        assert lines[-1] == b"end"
        eventually(lambda: len(stub.children()) == 3, "the old worker is gone")


def test_the_old_workers_serve_until_the_new_ones_accept(stub: StubProcess) -> None:
    with stub:
        stub.configure(text="two", boot=1.5)
        stub.signal(signal.SIGHUP)
        answers = []
        while not answers or answers[-1] == "one":
            # far less than the new workers need to start: nobody waits for them
            answers.append(stub.get(timeout=0.8)["text"])
        assert "one" in answers
        eventually(stub.reloaded, "the reload")


def test_a_failed_check_keeps_the_old_and_says_why(stub: StubProcess) -> None:
    with stub:
        children = stub.children()
        stub.configure(text="two", fail_check=True)
        stub.signal(signal.SIGHUP)
        eventually(lambda: "reload refused" in stub.log(), "the refusal")
        assert "the stub's check says no" in stub.log()
        assert stub.get()["text"] == "one"
        assert stub.children() == children
        stub.configure(fail_check=False)
        stub.signal(signal.SIGHUP)
        eventually(lambda: stub.get()["text"] == "two", "the next reload works")


def test_broken_code_is_found_by_the_check(stub: StubProcess, tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text("VERSION = 1\n")
    stub.config["code"] = str(code)
    with stub:
        # Not of the same length: Python takes a source of equal size and second as unchanged.
        code.write_text("VERSION = (((\n")
        stub.signal(signal.SIGHUP)
        eventually(lambda: "reload refused" in stub.log(), "the refusal")
        assert "SyntaxError" in stub.log()
        assert stub.get()["version"] == 1


def test_many_hups_at_once_are_one_or_two_reloads(stub: StubProcess) -> None:
    with stub, Load(stub.port) as load:
        stub.configure(text="two")
        for _ in range(20):
            stub.signal(signal.SIGHUP)
        eventually(lambda: stub.get()["text"] == "two", "the reload")
        stub.configure(text="three")
        for _ in range(20):
            stub.signal(signal.SIGHUP)
        eventually(lambda: stub.get()["text"] == "three", "the next one")
        eventually(lambda: len(stub.children()) == 3, "old processes are gone", within=15)
        assert 2 <= stub.log().count("reloaded: ") <= 6
        assert _one_writer(stub)
    assert load.failures == []


def test_hups_during_the_exec_do_not_kill_the_arbiter(stub: StubProcess) -> None:
    """exec resets the handler of HUP to its default, which is to die."""
    with stub:
        stop = threading.Event()

        def pester() -> None:
            while not stop.wait(0.001):
                stub.signal(signal.SIGHUP)

        thread = threading.Thread(target=pester, daemon=True)
        thread.start()
        try:
            eventually(lambda: stub.reloaded(4), "four reloads in a row", within=30)
        finally:
            stop.set()
            thread.join()
        assert stub.process.poll() is None
        assert stub.get()["ppid"] == stub.pid
        assert _one_writer(stub)


def test_settings_that_need_another_arena_get_one_and_no_request_fails(
    stub: StubProcess,
) -> None:
    with stub:
        before = stub.get()
        old = stub.workers()
        with Load(stub.port) as load:
            stub.configure(text="two", arena=131072, control_last=0.5)
            stub.signal(signal.SIGHUP)
            eventually(lambda: stub.get()["text"] == "two", "the reload")
            eventually(lambda: not any(map(alive, old)), "the old workers are gone")
        assert load.failures == []
        assert stub.get()["boot_id"] != before["boot_id"]
        assert "the cache starts cold" in stub.log()
        assert _one_writer(stub)
        assert _memfds(stub.pid) == 1, "the old arena's memory is given back"


def test_more_workers_after_a_reload(stub: StubProcess) -> None:
    with stub, Load(stub.port) as load:
        stub.configure(workers=3)
        stub.signal(signal.SIGHUP)
        eventually(lambda: len(stub.workers()) == 3 and stub.reloaded(), "three workers")
    assert load.failures == []


def test_without_spare_slots_workers_are_replaced_one_by_one(stub: StubProcess) -> None:
    stub.config.update(spare=False, workers=3)
    with stub:
        workers = stub.workers()
        with Load(stub.port) as load:
            stub.configure(text="two")
            stub.signal(signal.SIGHUP)
            eventually(stub.reloaded, "the reload", within=15)
            eventually(lambda: not any(map(alive, workers)), "the old workers are gone")
        assert load.failures == []
        assert stub.get()["text"] == "two"


def test_a_new_address_replaces_the_old_one(stub: StubProcess) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with stub:
        old_port, old = stub.port, stub.workers()
        stub.configure(listen=f"127.0.0.1:{port}")
        stub.signal(signal.SIGHUP)
        eventually(stub.reloaded, "the reload")
        stub.port = port
        assert stub.get()["ppid"] == stub.pid
        eventually(lambda: not any(map(alive, old)), "the old workers are gone")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", old_port), timeout=2)


def test_an_address_in_use_keeps_the_old_one(stub: StubProcess) -> None:
    with stub, socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        stub.configure(listen=f"127.0.0.1:{other.getsockname()[1]}", text="two")
        stub.signal(signal.SIGHUP)
        eventually(lambda: stub.get()["text"] == "two", "the reload")
        assert "Cannot listen on" in stub.log()
        # and the configured address stays known: the next reload tries it again
        stub.configure(text="three", listen="127.0.0.1:0")
        stub.signal(signal.SIGHUP)
        eventually(lambda: stub.get()["text"] == "three", "the second reload")


def test_processes_that_die_during_a_reload_leave_no_slot_behind(stub: StubProcess) -> None:
    with stub:
        old = stub.workers()
        stream = stub.stream(count=60, gap=0.1)
        stub.configure(text="two")
        stub.signal(signal.SIGHUP)
        eventually(lambda: stub.get()["text"] == "two", "the reload")
        draining = eventually(lambda: [p for p in old if alive(p)], "one of the old drains")
        for pid in draining:
            os.kill(pid, signal.SIGKILL)
        stream.connection.close()
        eventually(
            lambda: sum(1 for p in stub.get()["slots"] if p) == 3, "only the living hold slots"
        )
        assert len(stub.children()) == 3


@pytest.mark.slow
def test_ten_reloads_under_heavy_load(stub: StubProcess) -> None:
    with stub, Load(stub.port, fresh=6, kept=6, slow=6) as load:
        for number in range(1, 11):
            stub.configure(text=str(number))
            stub.signal(signal.SIGHUP)
            eventually(lambda n=number: stub.get()["text"] == str(n), "the reload", within=20)
        eventually(lambda: len(stub.children()) == 3, "old processes are gone", within=20)
        assert load.failures == []
        assert {answer["text"] for answer in load.answers} >= {str(n) for n in range(1, 11)}
        assert _one_writer(stub)
    assert load.failures == []


def _one_writer(stub: StubProcess) -> bool:
    """Control processes never overlap: start and stop alternate, with the same pid."""
    eventually(lambda: len(stub.lines("control.log")) % 2 == 1, "a control process runs")
    lines = [line.split() for line in stub.lines("control.log")]
    pairs = list(zip(lines[::2], lines[1::2], strict=False))
    return all(a[0] == "start" and b == ["stop", a[1]] for a, b in pairs)


def _memfds(pid: int) -> int:
    links = (os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
    return sum(1 for link in links if link.startswith("/memfd:"))
