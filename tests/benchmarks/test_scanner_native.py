"""Engines that the scanner is compared with: what is not there is said, what is there is whole."""

from __future__ import annotations

import pytest

from benchmarks.scanner import native

ATTACK = b"x' union all select name, secret from staff--"


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INJECTION", "HS", "MODSECURITY"):
        monkeypatch.setenv(f"PIHUB_BENCH_{name}", "/nowhere/made-up.so")
    engines, missing = native.installed()
    assert engines == []
    assert [line.partition(":")[0] for line in missing] == [
        "libinjection", "Hyperscan, 15", "ModSecurity+CRS",
    ]  # fmt: skip
    assert all("made-up.so" in line for line in missing)


@pytest.mark.parametrize("place", ["query", "path", "header", "json", "prompt", "form"])
def test_modsecurity_looks_into_each_place(place: str) -> None:
    """JSON only by a rule that the rule set does not bring."""
    try:
        engine = native.ModSecurity()
    except native.Missing as why:
        pytest.skip(f"not installed: {why}")
    assert not engine.refuses(b"blue shoes", place, False)
    attack = b"/../../../../etc/passwd" if place == "path" else ATTACK
    if place == "header":
        attack = b"<script>alert(5)</script>"
    assert engine.refuses(attack, place, False)
