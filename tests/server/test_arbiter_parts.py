"""The arbiter's parts alone: table of children, back-off, hand-over, pid file, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pihub.errors import StartupError
from pihub.server import handover as handover_module
from pihub.server.backoff import LONGEST, STABLE, Backoff
from pihub.server.children import Child, Children
from pihub.server.forking import BOOT_ERROR, fork, run_child
from pihub.server.handover import VARIABLE, Handover
from pihub.server.pidfile import PidFile
from pihub.server.preflight import Preflight
from pihub.server.signals import SignalQueue


def child(pid: int, slot: int, generation: int = 0, boot_id: int = 7, **more: object) -> Child:
    return Child(pid, slot, generation, boot_id, 1.5, **more)  # type: ignore[arg-type]


def test_slots_are_given_once_and_given_back() -> None:
    table = Children()
    for pid in (10, 11, 12):
        slot = table.free_slot(4, 7)
        assert slot == pid - 9
        table.add(child(pid, slot))
    assert table.free_slot(4, 7) is None
    assert table.remove(11) is not None
    assert table.free_slot(4, 7) == 2


def test_children_of_another_arena_take_no_slot_of_this_one() -> None:
    table = Children()
    table.add(child(10, 1, boot_id=7))
    assert table.free_slot(4, 8) == 1
    assert table.free_slot(4, 7) == 2


def test_generations_and_control_are_told_apart() -> None:
    table = Children()
    table.add(child(1, 0, generation=0))
    table.add(child(2, 1, generation=0))
    table.add(child(3, 2, generation=1))
    table.add(child(4, 3, generation=1, kill_at=9.0))
    control = table.control()
    assert control is not None
    assert control.pid == 1
    assert [c.pid for c in table.workers(1)] == [3]
    assert [c.pid for c in table.old_workers(1)] == [2]


def test_back_off_doubles_and_forgets_after_a_stable_life() -> None:
    backoff, now, delays = Backoff(), 100.0, []
    for _ in range(9):
        delays.append(backoff.died(0.01, now))
        now += 1
    assert delays[:4] == [0.0, 0.1, 0.2, 0.4]
    assert delays[-1] == LONGEST
    assert backoff.wait(now - 1) == LONGEST
    assert backoff.wait(now + LONGEST) == 0
    assert backoff.died(STABLE, now) == 0.0
    assert backoff.wait(now) == 0


def sample() -> Handover:
    return Handover(
        pid=4711,
        generation=3,
        listeners=(("127.0.0.1:0", 5), ("unix:/x", 6)),
        control_listener=("/run/control.sock", 8),
        arena_fd=9,
        boot_id=2**64 - 1,
        eventfds=(10, 11),
        children=(child(20, 0, ready=True), child(21, 3, kill_at=99.5)),
    )


def test_a_hand_over_is_what_it_was() -> None:
    assert handover_module.decode(sample().encode()) == sample()
    assert sample().fds() == (5, 6, 8, 9, 10, 11)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"version": 99}', '{"version": 1}'])
def test_a_hand_over_of_another_form_says_what_to_do(text: str) -> None:
    with pytest.raises(StartupError, match="restart the hub"):
        handover_module.decode(text)


def test_a_hand_over_is_taken_once_and_only_by_its_process() -> None:
    environ = {VARIABLE: sample().encode(), "OTHER": "x"}
    assert handover_module.take(environ, 1) is None
    assert environ == {"OTHER": "x"}
    assert handover_module.take(environ, 4711) is None


def test_taken_descriptors_are_close_on_exec_again() -> None:
    fds = [os.eventfd(0) for _ in range(4)]
    try:
        for fd in fds:
            os.set_inheritable(fd, True)
        text = json.loads(sample().encode())
        text.update(listeners=[["a", fds[0]]], control_listener=["b", fds[1]])
        text.update(arena_fd=fds[2], eventfds=[fds[3]])
        taken = handover_module.take({VARIABLE: json.dumps(text)}, 4711)
        assert taken is not None
        assert [os.get_inheritable(fd) for fd in fds] == [False] * 4
    finally:
        for fd in fds:
            os.close(fd)


HOLD = """
import sys, time
from pathlib import Path
from pihub.server.pidfile import PidFile
file = PidFile(Path(sys.argv[1]))
file.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_the_pid_file_is_held_by_one_living_process(tmp_path: Path) -> None:
    path = tmp_path / "pihub.pid"
    path.write_text("1\n")  # stale, and pid 1 lives: no reason to refuse
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StartupError, match=rf"already runs .*pid {holder.pid}\)"):
            PidFile(path).acquire()
        assert path.read_text() == f"{holder.pid}\n"
    finally:
        holder.kill()
        holder.wait(10)
        holder.stdout.close()
        holder.stdin.close()
    file = PidFile(path)
    file.acquire()
    assert path.read_text() == f"{os.getpid()}\n"
    file.remove()
    assert not path.exists()


def test_a_child_starts_with_signals_held_until_it_is_ready_for_them() -> None:
    read, write = os.pipe()

    def body() -> None:
        os.kill(os.getpid(), signal.SIGTERM)  # held: we live on
        os.write(write, b"alive")
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.write(write, b"not reached")

    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    pid = fork()
    if pid == 0:
        run_child(body)
    os.close(write)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM
    assert os.read(read, 100) == b"alive"
    assert os.read(read, 1) == b""
    os.close(read)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, 0),
        (SystemExit(4), 4),
        (SystemExit(), 0),
        (StartupError("no"), BOOT_ERROR),
        (ValueError("defect"), 1),
        (KeyboardInterrupt(), 1),
    ],
)
def test_how_a_child_ends(error: BaseException | None, status: int) -> None:
    def body() -> None:
        if error is not None:
            raise error

    pid = os.fork()
    if pid == 0:
        run_child(body)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status


def await_preflight(command: list[str]) -> str | None:
    preflight = Preflight(command)
    return preflight.failure(os.waitpid(preflight.pid, 0)[1])


def test_the_preflight_reports_success_and_the_reason_of_a_failure() -> None:
    python = sys.executable
    assert await_preflight([python, "-c", "print('fine')"]) is None
    failure = await_preflight([python, "-c", "import sys; sys.exit('line 3: no such key')"])
    assert failure == "the check failed (exit status 1): line 3: no such key"
    failure = await_preflight([python, "-c", "import os; os.kill(os.getpid(), 9)"])
    assert failure == "the check failed (killed by signal 9): no output"
    failure = await_preflight([python, "-c", "print('x' * 100000); raise SystemExit(1)"])
    assert failure is not None
    assert len(failure) < 5000


SIGNALS = """
import os, signal, sys, time
from pihub.server.signals import SignalQueue
queue = SignalQueue()
read, write = os.pipe()
queue.install(read)
print("ready", flush=True)
start = time.monotonic()
taken = []
while len(taken) < 2:
    queue.wait(5)
    taken += queue.take()
print([int(s) for s in taken], time.monotonic() - start < 4, flush=True)
queue.wake_in(0.05)
start = time.monotonic()
queue.wait(5)
print(time.monotonic() - start < 1)
os.write(write, b"x")
start = time.monotonic()
queue.wait(5)
print(time.monotonic() - start < 1)
"""


def test_signals_deadlines_and_pipes_end_the_wait() -> None:
    process = subprocess.Popen([sys.executable, "-c", SIGNALS], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=15)
    assert out.splitlines() == [f"[{signal.SIGHUP:d}, {signal.SIGTERM:d}] True", "True", "True"]


def test_a_burst_of_signals_fits_the_pipe() -> None:
    queue = SignalQueue()
    for _ in range(10_000):
        queue._note(signal.SIGHUP, None)
    assert len(queue.take()) == 10_000
    assert queue.take() == []
