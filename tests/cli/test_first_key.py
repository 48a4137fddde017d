"""The key of the first start, and the end of the demo's."""

from __future__ import annotations

from pathlib import Path

import pytest

from pihub.cli.admin import open_files
from pihub.cli.first_key import DEMO_FILE, First, FirstKey
from pihub.settings.load import load
from pihub.settings.loaded import Loaded

REAL = '[upstreams.ollama]\nkind = "ollama"\nurl = "http://127.0.0.1:9"\n'
DEMO = "[server]\ndemo = true\n"


def configured(folder: Path, text: str) -> Loaded:
    file = folder / "pihub.toml"
    file.write_text(f'{text}[store]\nurl = "sqlite:///{folder}/pihub.db"\n')
    return load(file, {})


def started(folder: Path, text: str, *, reloaded: bool = False) -> First:
    return FirstKey(configured(folder, text), reloaded=reloaded).result()


def in_force(folder: Path) -> dict[int, bool]:
    control = open_files(configured(folder, REAL).settings)
    try:
        return {row.id: not row.revoked for row in control.keys.list()}
    finally:
        control.close()


@pytest.mark.parametrize("reloaded", [False, True])
def test_real_upstreams_end_the_demo_s_key(tmp_path: Path, reloaded: bool) -> None:
    shown = started(tmp_path, DEMO).token
    assert shown is not None
    assert in_force(tmp_path) == {1: True}
    real = started(tmp_path, REAL, reloaded=reloaded)
    assert (real.token is None) is reloaded, "only a start shows one"
    assert real.token != shown
    assert in_force(tmp_path)[1] is False
    assert not (tmp_path / DEMO_FILE).exists()


def test_a_key_of_one_s_own_outlives_the_demo(tmp_path: Path) -> None:
    started(tmp_path, DEMO)
    control = open_files(configured(tmp_path, REAL).settings)
    own = control.keys.create("default", "app").key.id
    control.close()
    assert started(tmp_path, REAL).token is None
    assert in_force(tmp_path) == {1: False, own: True}
    again = started(tmp_path, DEMO).token
    assert again is not None, "back in the demo there is a new one"
    assert started(tmp_path, DEMO).token == again
