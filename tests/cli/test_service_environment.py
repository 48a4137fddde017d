"""Commands see the variables that systemd gives to the service, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from pihub.cli import configuration, exits
from pihub.cli.main import main

CLAUDE = """
[store]
url = "sqlite://{folder}/pihub.db"
[upstreams.claude]
kind = "anthropic"
url = "https://api.anthropic.com"
api_key_env = "CLAUDE_KEY"
[models.assistant]
chain = ["claude/claude-haiku-4-5"]
"""


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a service whose secret stands in its environment's file."""
    for name in ("CLAUDE_KEY", "PIHUB_CONFIG", "OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "etc" / "pihub.toml"
    file.parent.mkdir()
    file.write_text(CLAUDE.format(folder=tmp_path))
    (file.parent / "environment").write_text("# CLAUDE_KEY=old\n\nCLAUDE_KEY='sk-1=2'\nOTHER=x\n")
    monkeypatch.setattr(configuration, "PLACES", ("pihub.toml", str(file)))
    monkeypatch.setattr(configuration, "ENVIRONMENT", str(file.parent / "environment"))
    monkeypatch.chdir(tmp_path)
    return file


def test_a_key_is_made_without_typing_the_services_secrets(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "create", "--name", "laptop"]) == exits.OK
    out = capsys.readouterr().out
    assert "ph_" in out
    assert "sk-1" not in out
    assert main(["check"]) == exits.OK
    assert main(["check", "--config", str(service)]) == exits.OK


def test_values_are_read_as_systemd_reads_them(service: Path) -> None:
    found = configuration.surroundings(service, {"OTHER": "mine"})
    assert found == {"CLAUDE_KEY": "sk-1=2", "OTHER": "mine"}


def test_another_file_does_not_get_the_services_secrets(
    service: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.toml"
    other.write_text(service.read_text())
    assert main(["check", "--config", str(other)]) == exits.REFUSED
    assert "CLAUDE_KEY is not set" in capsys.readouterr().err
    assert configuration.surroundings(None, {}) == {}


def test_who_may_not_read_them_is_told_what_is_missing(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (service.parent / "environment").unlink()
    assert main(["check"]) == exits.REFUSED
    assert "CLAUDE_KEY is not set" in capsys.readouterr().err
