"""Findings and grades of configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pihub.ops.posture import judge
from pihub.settings.schema import Api, Server, Settings, Store, Upstream

SAFE = {"listen": "127.0.0.1:8080"}


def settings(folder: Path, **changed: Any) -> Settings:
    made = Settings(
        store=Store(url=f"sqlite://{folder}/pihub.db"),
        upstreams={"ollama": Upstream(kind="ollama", url="http://127.0.0.1:11434")},
    )
    return msgspec.structs.replace(made, **changed)


def test_the_defaults_with_an_admin_are_an_a(tmp_path: Path) -> None:
    found = judge(settings(tmp_path), {}, admin=True, second_factors=True)
    assert (found.grade, found.points, found.findings) == ("A", 100, ())


@pytest.mark.parametrize(
    ("changed", "words", "worst"),
    [
        ({"server": Server(listen="0.0.0.0:8080")}, "plain HTTP", "C"),
        ({"server": Server(cors_origins=["*"])}, "every web page", "B"),
        (
            {"apis": {"x": Api(prefix="/apis/x", url="https://x.example", auth=False,
                               api_key_env="X")}},
            "lends its key", "C",
        ),
        (
            {"upstreams": {"o": Upstream(kind="ollama", url="http://192.168.1.9:11434")}},
            "answers on the network", "B",
        ),
        (
            {"upstreams": {"c": Upstream(kind="openai", url="http://api.example.com",
                                         api_key_env="X")}},
            "plain text", "C",
        ),
    ],
)  # fmt: skip
def test_each_weakness_is_found_and_costs(
    tmp_path: Path, changed: dict[str, Any], words: str, worst: str
) -> None:
    found = judge(settings(tmp_path, **changed), {}, admin=True, second_factors=True)
    assert any(words in one.what for one in found.findings)
    assert all(one.mend for one in found.findings)
    assert found.grade >= worst


def test_files_that_others_read_and_weak_secrets(tmp_path: Path) -> None:
    (tmp_path / "pepper.key").write_bytes(b"x" * 16)
    (tmp_path / "pepper.key").chmod(0o644)
    found = judge(settings(tmp_path), {"claude": b"short"}, admin=False, second_factors=False)
    assert [one.weight for one in found.findings] == ["serious", "grave", "serious"]
    assert not found.fit_for_production
    assert "short" not in str([one for one in found.findings if "claude" not in one.what])


def test_an_ollama_that_the_lan_reaches_is_found(tmp_path: Path) -> None:
    asked: list[tuple[str, int]] = []

    def connects(address: str, port: int) -> bool:
        asked.append((address, port))
        return True

    found = judge(
        settings(tmp_path), {}, admin=True, second_factors=True, connects=connects
    )
    assert all(port == 11434 for _, port in asked)
    assert any("open to the LAN" in one.what for one in found.findings) == bool(asked)


def test_a_grave_finding_is_never_fit_for_production(tmp_path: Path) -> None:
    found = judge(
        settings(tmp_path, server=Server(listen="0.0.0.0:1")), {}, admin=True, second_factors=True
    )
    assert found.grade == "C" and not found.fit_for_production
