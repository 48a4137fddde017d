"""A machine's state, read from a tree that looks like a Pi's /proc and /sys."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pihub.ops import checkup
from pihub.ops.easing import LEAST, WHOLE, Cause, ease
from pihub.ops.machine import Machine, Reading, device_kind, device_of, machine, read, written_by
from pihub.ops.presets import preset
from pihub.ops.watch import DAY, Watch, Wear
from pihub.settings.schema import Settings
from pihub.shared.machine import CONTROL, Gauge
from pihub.shared.state import Plan, SharedState


def put(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def pi(tmp_path: Path) -> Path:
    """A Pi 4 of 2 GB: 71.5 degrees, throttled before but not now, short of memory."""
    files = {
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "proc/meminfo": "MemTotal:  1893400 kB\nMemAvailable:  204800 kB\n",
        "proc/pressure/memory": "some avg10=31.40 avg60=1 avg300=0 total=1\n"
        "full avg10=2.00 avg60=0 avg300=0 total=1\n",
        "proc/pressure/cpu": "some avg10=12.5 avg60=0 avg300=0 total=1\n",
        "sys/class/thermal/thermal_zone0/temp": "71500\n",
        "sys/class/thermal/thermal_zone1/temp": "40000\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50000\n",
        "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n",
        "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        "proc/42/io": "rchar: 9\nwchar: 9\nread_bytes: 0\nwrite_bytes: 8192\n",
    }
    put(tmp_path, **files)
    return tmp_path


def test_a_pi_is_read_whole(pi: Path) -> None:
    board = machine(pi)
    assert board.model == "Raspberry Pi 4 Model B Rev 1.4"
    assert board.memory == 1893400 * 1024
    assert not board.memory_cgroup
    found = read(pi)
    assert found.temperature == 71.5
    assert found.flags == 0x50000
    assert not found.throttled
    assert not found.under_voltage
    assert (found.memory_some, found.memory_full, found.cpu_some) == (31.4, 2.0, 12.5)
    assert found.io_some is None
    assert written_by([42, 43], pi) == {42: 8192}


def test_a_machine_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    assert read(tmp_path) == Reading()
    assert machine(tmp_path).memory == 0


def test_the_voltage_monitor_stands_in_for_the_firmware_s_file(tmp_path: Path) -> None:
    files = {"sys/class/hwmon/hwmon1/name": "rpi_volt\n",
             "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n"}  # fmt: skip
    put(tmp_path, **files)
    assert read(tmp_path).under_voltage


def test_a_card_is_known_by_its_device(tmp_path: Path) -> None:
    link = tmp_path / "sys/dev/block" / device_of(tmp_path)
    card = tmp_path / "sys/devices/mmc0/block/mmcblk0/mmcblk0p2"
    card.mkdir(parents=True)
    link.parent.mkdir(parents=True)
    os.symlink(card, link)
    assert device_kind(tmp_path / "not" / "yet", tmp_path) == "SD card"


@pytest.mark.parametrize(
    ("reading", "cause"),
    [
        (Reading(flags=1), Cause.UNDER_VOLTAGE),
        (Reading(flags=0b100), Cause.THROTTLED),
        (Reading(flags=0b10), Cause.THROTTLED),
        (Reading(temperature=83.0), Cause.HOT),
        (Reading(memory_some=40.0), Cause.MEMORY),
        (Reading(memory_some=1.0, memory_full=9.0), Cause.MEMORY),
    ],
)
def test_work_is_halved_while_the_machine_suffers(reading: Reading, cause: Cause) -> None:
    share = WHOLE
    for expected in (500, 250, LEAST, LEAST):
        share, why = ease(share, reading, 82.0)
        assert (share, why) == (expected, cause)


def test_work_comes_back_in_steps_and_only_when_it_is_well() -> None:
    assert ease(500, Reading(temperature=80.0), 82.0) == (500, Cause.RECOVERING)
    assert ease(500, Reading(memory_some=10.0), 82.0) == (500, Cause.RECOVERING)
    shares = [500]
    while shares[-1] < WHOLE:
        shares.append(ease(shares[-1], Reading(temperature=60.0, flags=0x50000), 82.0)[0])
    assert shares == [500, 625, 750, 875, 1000]
    assert ease(WHOLE, Reading(), 82.0) == (WHOLE, Cause.NONE)


def test_wear_is_the_sum_of_all_processes_old_and_new() -> None:
    wear = Wear()
    wear.add(0.0, {1: 100})
    wear.add(5.0, {1: 300, 2: 50})
    wear.add(10.0, {2: 60})  # 1 has ended
    wear.add(15.0, {2: 60, 1: 7})  # its number is given to a new process
    assert wear.total == 367
    assert wear.per_day(3600.0) == 267 * 24
    wear.add(DAY + 15.0, {2: 1060, 1: 7})
    assert wear.per_day(DAY + 15.0) == 1267


def test_the_watch_publishes_and_eases(tmp_path: Path) -> None:
    state = SharedState.create(Plan(1, 1 << 20))
    seen = [Reading(temperature=90.0, flags=0x4), Reading(temperature=50.0, flags=0)]
    watch = Watch(
        state.machine, lambda: [os.getpid()], tmp_path,
        easing=True, hot=82.0, budget=1 << 30, look=lambda: seen.pop(0),
    )  # fmt: skip
    assert state.machine.share(512) == 512
    watch.turn(1000.0)
    assert state.machine.share(512) == 256
    assert state.machine.share(1) == 1
    assert state.machine.get(CONTROL, Gauge.TEMPERATURE) == 90_000
    assert state.machine.get(CONTROL, Gauge.CAUSE) == Cause.THROTTLED
    assert state.machine.get(CONTROL, Gauge.MEMORY_SOME) is None
    watch.turn(1005.0)
    assert state.machine.share(512) == 320


def test_presets_grow_with_the_memory(pi: Path) -> None:
    board = machine(pi)
    small, middle, large = (
        preset(sized(board, memory)) for memory in (512 << 20, 1893400 << 10, 8 << 30)
    )
    assert (small.cache, middle.cache, large.cache) == ("16MB", "64MB", "256MB")
    assert small.max_workers <= middle.max_workers <= large.max_workers
    assert preset(board, "SSD").write_budget == "5GB"
    assert preset(board, "SD card").write_budget == "500MB"


def sized(board: Machine, memory: int) -> Machine:
    return replace(board, memory=memory, cores=4)


def test_the_doctor_names_what_is_wrong(pi: Path) -> None:
    put(pi, **{"sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n"})
    found = {one.what: one for one in checkup.examine(Settings(), pi)}
    assert found["power"].level == "bad"
    assert found["throttling"].level == "bad"
    assert "cgroup_enable=memory" in found["cgroup"].advice
    assert found["pressure"].level == "hint"
    assert found["temperature"].level == "ok"
    for one in found.values():
        assert one.advice or one.level == "ok"


def test_the_doctor_asks_ollama_and_sees_that_nothing_answers() -> None:
    from pihub.settings.schema import Upstream

    upstream = Upstream(kind="ollama", url="http://127.0.0.1:9")
    [found] = checkup.ollama(Settings(upstreams={"local": upstream}))
    assert (found.level, found.what, found.advice) == ("bad", "local", "systemctl start ollama")


def test_the_doctor_sends_nobody_to_start_an_ollama_of_another_machine() -> None:
    from pihub.settings.schema import Upstream

    upstream = Upstream(kind="ollama", url="http://box.invalid:11434")
    [found] = checkup.ollama(Settings(upstreams={"far": upstream}))
    assert found.level == "bad"
    assert "systemctl" not in found.advice
    assert "OLLAMA_HOST there" in found.advice


@pytest.mark.parametrize(("flags", "level"), [("8", "bad"), ("80000", "hint"), ("0", "")])
def test_the_doctor_tells_of_the_soft_limit_of_temperature(
    pi: Path, flags: str, level: str
) -> None:
    put(pi, **{"sys/devices/platform/soc/soc:firmware/get_throttled": f"{flags}\n"})
    found = {one.what: one.level for one in checkup.power(read(pi), pi)}
    assert found["power"] == "ok"
    assert found.get("throttling", "") == level
