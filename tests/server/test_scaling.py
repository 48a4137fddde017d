"""The number of workers follows the load, with hysteresis and bounds, and loses no request."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from pihub.server.scaling import Gauge, Load, Scaler, queued
from pihub.shared.machine import Why
from tests.server.driver import StubProcess, eventually

CALM = Load(1, 0.1, 0, 0.5)


def drive(scaler: Scaler, load: Load, seconds: int, start: float = 100.0) -> list[object]:
    found = [scaler.decide(start + second, load) for second in range(seconds)]
    return [one for one in found if one is not None]


def test_a_short_peak_adds_nobody_and_a_long_one_does() -> None:
    scaler = Scaler(1, 4, 3.0, 30.0)
    busy = Load(1, 0.9, 0, 0.5)
    assert drive(scaler, busy, 3) == []
    assert scaler.decide(103.0, CALM) is None
    assert drive(scaler, busy, 3, 104.0) == []
    assert scaler.decide(107.0, busy) == (2, Why.BUSY)


def test_waiting_connections_count_as_load() -> None:
    scaler = Scaler(1, 4, 1.0, 30.0)
    waiting = Load(2, 0.2, 4, 0.5)
    assert drive(scaler, waiting, 2) == [(3, Why.QUEUE)]


def test_bounds_and_memory_hold_it_back() -> None:
    busy = Load(4, 1.0, 50, 0.5)
    assert drive(Scaler(1, 4, 1.0, 30.0), busy, 60) == []
    assert drive(Scaler(1, 4, 1.0, 30.0), Load(1, 1.0, 50, 0.08), 60) == []
    assert drive(Scaler(1, 4, 1.0, 5.0), Load(1, 0.0, 0, 0.5), 60) == []


def test_short_memory_takes_one_away_at_once() -> None:
    assert Scaler(1, 4, 3.0, 30.0).decide(1.0, Load(3, 0.9, 9, 0.04)) == (2, Why.MEMORY)
    assert Scaler(1, 4, 3.0, 30.0).decide(1.0, Load(1, 0.9, 9, 0.04)) is None


def test_it_shrinks_only_if_the_rest_stays_calm() -> None:
    # 0.25 of two workers would be 0.5 of one: taking one away would soon bring it back
    assert drive(Scaler(1, 4, 3.0, 10.0), Load(2, 0.25, 0, 0.5), 60) == []
    assert drive(Scaler(1, 4, 3.0, 10.0), Load(2, 0.15, 0, 0.5), 11) == [(1, Why.IDLE)]


def test_a_fixed_number_is_not_scaled() -> None:
    assert not Scaler(2, 2, 3.0, 30.0).active


def test_the_gauge_reads_processes_and_memory(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\n")
    (tmp_path / "7").mkdir()

    def spent(user: int, system: int) -> None:
        text = f"7 (a) b) S 1 1 1 0 -1 0 0 0 0 0 {user} {system} 0 0 20 0 1 0 1 1 1\n"
        (tmp_path / "7" / "stat").write_text(text)

    gauge = Gauge(tmp_path)
    spent(100, 50)
    assert gauge.look(10.0, [7], []) == Load(1, 0.0, 0, 0.25)
    spent(140, 60)
    assert gauge.look(11.0, [7], []).busy == pytest.approx(0.5)


def test_connections_that_wait_are_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert queued(listener) == 0
        clients = [socket.create_connection(listener.getsockname()) for _ in range(3)]
        eventually(lambda: queued(listener) == 3, "the kernel counts three")
        for client in clients:
            client.close()


def test_a_kernel_that_tells_less_counts_nobody() -> None:
    class Emulated(socket.socket):
        """As qemu's user emulation answers TCP_INFO: one int."""

        def getsockopt(self, *_: int) -> bytes:  # type: ignore[override]
            return bytes(4)

    with Emulated(socket.AF_INET) as listener:
        assert queued(listener) == 0


@pytest.mark.slow
def test_load_up_and_down_is_followed_and_no_request_is_lost(tmp_path: Path) -> None:
    scale = {
        "workers": "auto", "min_workers": 1, "max_workers": 3,
        "scale_up_after": 0.5, "scale_down_after": 2.0,
    }  # fmt: skip
    with StubProcess(tmp_path, "meinheld", workers=1, server=scale) as stub:
        failures: list[str] = []
        answered = [0]
        stop, easy = threading.Event(), threading.Event()

        def client(path: str, until: threading.Event) -> None:
            while not until.is_set():
                try:
                    stub.get(path, timeout=60)
                    answered[0] += 1
                except Exception as error:
                    failures.append(repr(error))

        heavy = [threading.Thread(target=client, args=("/burn?s=0.1", stop)) for _ in range(12)]
        light = threading.Thread(target=client, args=("/slow?s=0.05", easy))
        for thread in (*heavy, light):
            thread.start()
        try:
            eventually(
                lambda: any(line.startswith("3 ") for line in stub.lines("scaled")),
                "three workers under load", within=60,
            )  # fmt: skip
            stop.set()
            eventually(
                lambda: stub.lines("scaled")[-1] == f"1 {int(Why.IDLE)}",
                "one worker without load", within=60,
            )  # fmt: skip
        finally:
            stop.set()
            easy.set()
            for thread in (*heavy, light):
                thread.join(60)
        assert failures == []
        assert answered[0] > 20
        reasons = {int(line.split()[1]) for line in stub.lines("scaled")}
        assert reasons >= {Why.START, Why.IDLE}
        assert reasons & {Why.BUSY, Why.QUEUE}
        assert "workers, were" in stub.log()
