"""`pihub init` writes a file that serves; `pihub doctor` says what it sees."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pihub.cli import exits, init
from pihub.cli.keys import check_folder
from pihub.cli.main import main
from pihub.ops.machine import Machine
from pihub.ops.presets import preset
from pihub.settings.load import load


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("OLLAMA_HOST", "ANTHROPIC_API_KEY", "PIHUB_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(init, "ollama_models", lambda url: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_serves_simulated_upstreams_when_nothing_is_found(folder: Path) -> None:
    assert main(["init"]) == exits.OK
    loaded = load(folder / "pihub.toml", {})
    assert loaded.demo
    assert not loaded.warnings
    assert loaded.settings.server.max_workers >= 1
    assert loaded.settings.store.url == f"sqlite://{folder}/.pihub/pihub.db"


def test_a_file_that_is_there_is_kept(folder: Path) -> None:
    (folder / "pihub.toml").write_text("# mine\n")
    assert main(["init"]) == exits.REFUSED
    assert (folder / "pihub.toml").read_text() == "# mine\n"
    assert main(["init", "--force"]) == exits.OK
    assert "max_workers" in (folder / "pihub.toml").read_text()


def test_upstreams_that_are_here_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "ollama_models", lambda url: ["qwen3:4b"])
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    assert main(["init"]) == exits.OK
    text = (folder / "pihub.toml").read_text()
    assert "sk-test" not in text
    loaded = load(folder / "pihub.toml", os.environ)
    assert not loaded.demo
    chain = loaded.settings.models["assistant"].chain
    assert chain == ["ollama/qwen3:4b", "claude/claude-haiku-4-5"]


def test_a_small_board_with_a_card_gets_a_small_hub(folder: Path) -> None:
    board = Machine("Raspberry Pi Zero 2 W", 430 << 20, 4, 4096, "6.12", 64, False, "Debian")
    text = init.render(board, preset(board, "SD card"), Path("/x"), "SD card", True, {})
    for line in ('size = "16MB"', "max_workers = 2", "flush = 5", 'run_dir = "/run/pihub"',
                 'write_budget = "500MB"'):  # fmt: skip
        assert line in text


def test_what_is_next_fits_the_one_who_asked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init"]) == exits.OK
    assert capsys.readouterr().out.endswith("; next: pihub serve\n")
    assert main(["init", "--service", "--output", "service.toml"]) == exits.OK
    assert capsys.readouterr().out.endswith("; next: systemctl restart pihub\n")


def test_root_is_told_whose_command_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    owner = os.stat_result((0o40700, 1, 1, 1, 65534, 65534, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda self, **_: owner)
    monkeypatch.setattr(Path, "mkdir", lambda self, *_, **__: None)
    with pytest.raises(exits.Failure, match=r"belongs to nobody: .*`sudo -u nobody pihub"):
        check_folder(tmp_path)


def test_the_doctor_is_readable_by_programs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--json"]) in (exits.OK, exits.FAILED)
    found = json.loads(capsys.readouterr().out)
    assert {"machine", "kernel", "memory", "storage", "clock"} <= {one["what"] for one in found}
    for one in found:
        assert one["level"] in ("ok", "hint", "bad")
