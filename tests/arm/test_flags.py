from __future__ import annotations

import platform

import pytest

from arm import flags


@pytest.mark.parametrize(
    ("host", "machine"),
    [
        ("linux-aarch64", "aarch64"),
        ("linux-arm64", "aarch64"),
        ("linux-x86_64", "x86_64"),
        ("linux-amd64", "x86_64"),
    ],
)
def test_a_cross_build_names_its_target(host: str, machine: str) -> None:
    assert flags.machine({"_PYTHON_HOST_PLATFORM": host}) == machine


def test_otherwise_this_machine() -> None:
    assert flags.machine({}) == platform.machine()


@pytest.mark.parametrize("host", ["linux-armv7l", "linux-armv6l", "linux-i686", "linux-riscv64"])
def test_machines_without_lock_free_64_bit_atomics_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match="64-bit"):
        flags.machine({"_PYTHON_HOST_PLATFORM": host})


def test_an_arm_wheel_runs_on_pi_3_4_and_5() -> None:
    compile_args, link_args = flags.flags("release", "aarch64")
    assert [f for f in compile_args if f.startswith("-march")] == ["-march=armv8-a+crc"]
    assert not [f for f in compile_args if f.startswith("-mcpu")]
    assert "-moutline-atomics" in compile_args
    assert "-fsigned-char" in compile_args
    assert "-Wl,--fix-cortex-a53-843419" in link_args


@pytest.mark.parametrize("machine", flags.SUPPORTED)
@pytest.mark.parametrize("mode", flags.MODES)
def test_no_flag_ties_a_build_to_this_machine(mode: str, machine: str) -> None:
    compile_args, link_args = flags.flags(mode, machine)
    for flag in [*compile_args, *link_args]:
        assert "native" not in flag
        assert "crypto" not in flag
        assert "fast-math" not in flag
    assert "-std=gnu11" in compile_args


@pytest.mark.parametrize("machine", flags.SUPPORTED)
def test_modes(machine: str) -> None:
    def compile_args(mode: str) -> list[str]:
        return flags.flags(mode, machine)[0]

    assert "-O2" in compile_args("release")
    assert "-DNDEBUG" in compile_args("release")
    assert "-s" in flags.flags("release", machine)[1]
    assert "-s" not in flags.flags("debug", machine)[1]
    assert "-DPH_DEBUG=1" in compile_args("debug")
    assert {"-DCYTHON_TRACE_NOGIL=1", "-DCYTHON_USE_SYS_MONITORING=0"} <= set(compile_args("trace"))
    assert any("address" in f for f in flags.flags("asan", machine)[1])
    assert not any("sanitize" in f for f in flags.flags("release", machine)[1])


def test_unknown_mode_or_machine() -> None:
    with pytest.raises(ValueError, match="release, debug, trace, asan"):
        flags.flags("fast", "aarch64")
    with pytest.raises(ValueError, match="vax"):
        flags.flags("release", "vax")
