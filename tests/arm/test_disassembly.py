"""What an extension's machine code may hold."""

from __future__ import annotations

import pytest

from arm.disassembly import Misfit, judge, require

RETURN = ("", "ret", "")


def test_crypto_outside_a_dispatched_function_is_refused() -> None:
    with pytest.raises(Misfit, match="aese in hash"):
        judge("x", [("hash", "aese", "v0.16b, v1.16b"), RETURN])
    for name in ("pmull2", "sha256h", "sdot", "eor3", "ptrue"):
        with pytest.raises(Misfit, match=name):
            judge("x", [("f", name, "v0.16b, v1.16b"), RETURN])


def test_crypto_in_a_dispatched_function_passes() -> None:
    counts = judge("x", [("ph_crc_pmull", "pmull2", "v0.1q, v1.2d, v2.2d"), RETURN])
    assert counts == {"instructions": 2, "dispatched": 1, "vector": 1}


def test_an_inlined_atomic_of_newer_cores_is_refused() -> None:
    with pytest.raises(Misfit, match="ldaddal"):
        judge("x", [("count", "ldaddal", "w0, w1, [x2]"), ("count", "add", "w0, w1"), RETURN])


def test_an_outlined_atomic_passes() -> None:
    named = [("__aarch64_ldadd4_acq_rel", "ldaddal", "w0, w0, [x1]"), ("x", "add", "w0"), RETURN]
    assert judge("x", named)["dispatched"] == 1


def test_ordinary_loads_and_vectors_are_no_misfit() -> None:
    code = [("f", "ldr", "q0, [x1]"), ("f", "cmeq", "v0.16b, v0.16b, v1.16b"), ("f", "cas_", "")]
    assert judge("x", code) == {"instructions": 3, "vector": 2, "cmeq": 1}


def test_a_hot_loop_must_use_its_vector_instruction() -> None:
    require("cache", judge("x", [("find", "cmeq", "v0.16b, v0.16b, v1.16b"), RETURN]))
    require("ring", judge("x", [RETURN]))
    with pytest.raises(Misfit, match="cache: its hot loop has no cmeq"):
        require("cache", judge("x", [("find", "ldr", "q0, [x1]"), RETURN]))
