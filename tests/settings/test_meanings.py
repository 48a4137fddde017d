"""The meanings that the dashboard shows are those of docs/settings.md, for every key."""

from __future__ import annotations

from pathlib import Path

from pihub.settings import meanings


def test_every_key_has_its_meaning() -> None:
    found = {".".join(one.path): one for one in meanings.fields()}
    assert [key for key, one in found.items() if len(one.meaning) < 10] == []
    listen = found["server.listen"]
    assert listen.default == "127.0.0.1:8080"
    assert listen.meaning.startswith("Address and port")
    assert found["upstreams.NAME.kind"].required
    assert set(found["upstreams.NAME.kind"].choices) == {"ollama", "anthropic", "openai"}
    assert "upstreams.NAME.timers.connect" in found


def test_the_text_that_comes_with_the_package_is_the_documentation() -> None:
    own = Path(meanings.__file__).with_name("settings.md")
    docs = Path(__file__).parents[2] / "docs" / "settings.md"
    assert own.read_bytes() == docs.read_bytes()
