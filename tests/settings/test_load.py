"""Values, their origins, secrets, and what happens without a file."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import msgspec
import pytest

from pihub.errors import ConfigError
from pihub.settings.epoch import epoch
from pihub.settings.load import load
from pihub.settings.loaded import Loaded
from pihub.settings.schema import Settings
from pihub.settings.show import MASK, as_json, as_toml
from pihub.settings.zero import ollama_url

TEXT = """\
[server]
listen = "127.0.0.1:9000"

[upstreams.my-claude]
kind = "anthropic"
url = "https://api.anthropic.com"
api_key_env = "CLAUDE_KEY"
[upstreams.my-claude.timers]
total = 30

[models]
"gpt-4.1".chain = ["my-claude/claude-haiku-4-5"]
"""
KEY = "sk-ant-api03-verysecret"


def from_text(tmp_path: Path, text: str = TEXT, **environ: str) -> Loaded:
    file = tmp_path / "pihub.toml"
    file.write_text(text)
    return load(file, {"CLAUDE_KEY": KEY, **environ})


def test_values_and_where_they_come_from(tmp_path: Path) -> None:
    loaded = from_text(
        tmp_path, PIHUB_SERVER__THREADS="8", PIHUB_UPSTREAMS__MY_CLAUDE__POOL__SIZE="3"
    )
    claude = loaded.settings.upstreams["my-claude"]
    assert loaded.settings.server.listen == "127.0.0.1:9000"
    assert loaded.settings.server.threads == 8
    assert (claude.timers.total, claude.timers.connect, claude.pool.size) == (30.0, 5.0, 3)
    assert loaded.secrets == {"my-claude": KEY.encode()}
    assert not loaded.demo
    file = tmp_path / "pihub.toml"
    expected = {
        "server.listen": f"{file}:2",
        "server.engine": "default",
        "server.threads": "env PIHUB_SERVER__THREADS",
        "upstreams.my-claude.url": f"{file}:6",
        "upstreams.my-claude.timers.total": f"{file}:9",
        "upstreams.my-claude.timers.idle": "default",
        "upstreams.my-claude.pool.size": "env PIHUB_UPSTREAMS__MY_CLAUDE__POOL__SIZE",
        'models."gpt-4.1".chain': f"{file}:12",
    }
    assert {key: loaded.provenance[key] for key in expected} == expected


def test_every_leaf_has_an_origin(tmp_path: Path) -> None:
    loaded = from_text(tmp_path)
    assert set(loaded.provenance) == set(as_json(loaded)["values"])
    assert all(loaded.provenance.values())


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("PIHUB_SERVER__LISTEN", "[::1]:0", ("server", "listen"), "[::1]:0"),
        ("PIHUB_SERVER__WORKERS", "3", ("server", "workers"), 3),
        ("PIHUB_SERVER__WORKERS", "auto", ("server", "workers"), "auto"),
        ("PIHUB_CACHE__TTL", "1.5", ("cache", "ttl"), 1.5),
        ("PIHUB_CACHE__SIZE", "32MB", ("cache", "size"), "32MB"),
        ("PIHUB_GATEWAY__WARN_UNKNOWN_PRICE", "off", ("gateway", "warn_unknown_price"), False),
        ("PIHUB_GATEWAY__WARN_UNKNOWN_PRICE", "TRUE", ("gateway", "warn_unknown_price"), True),
        ("pihub_server__threads", "3", ("server", "threads"), 32),  # other case: not ours
    ],
)
def test_overrides_are_typed(
    tmp_path: Path, variable: str, text: str, path: tuple[str, str], value: object
) -> None:
    loaded = from_text(tmp_path, **{variable: text})
    found = getattr(getattr(loaded.settings, path[0]), path[1])
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("PIHUB_SERVER__WORKERS", "0", 'server.workers: must be "auto" or a whole number above 0'),
        ("PIHUB_SERVER__WORKERS", "", "server.workers: must be"),
        ("PIHUB_SERVER__KEEPALIVE", "1m", "server.keepalive: must be a number above 0"),
        ("PIHUB_GATEWAY__WARN_UNKNOWN_PRICE", "maybe", "must be true or false"),
        ("PIHUB_MODELS__M__CHAIN", "", "models.m.chain: must be a list of strings (at least 1)"),
        ("PIHUB_MODELS__M__CHAIN", "[1]", "models.m.chain: must be a list of strings"),
        ("PIHUB_SERVER__LISEN", "x", "unknown key 'lisen' (did you mean \"listen\"?)"),
        ("PIHUB_SERVER__LISTEN__X", "x", "'listen' is a value, not a section"),
        ("PIHUB_SERVER__", "x", "unknown key ''"),
        ("PIHUB_UPSTREAMS__X", "x", "the key is missing after the section"),
        ("PIHUB_UPSTREAMS__X__API_KEY", KEY, "unknown key 'api_key'"),
    ],
)
def test_wrong_overrides(tmp_path: Path, variable: str, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_text(tmp_path, **{variable: text})
    assert f"env {variable}: " in caught.value.message
    assert words in caught.value.message
    assert KEY not in caught.value.message


def test_lists_by_commas_or_json(tmp_path: Path) -> None:
    for text in ("my-claude/a, my-claude/b", '["my-claude/a", "my-claude/b"]'):
        loaded = from_text(tmp_path, PIHUB_MODELS__ASSISTANT__CHAIN=text)
        assert loaded.settings.models["assistant"].chain == ["my-claude/a", "my-claude/b"]


def test_an_optional_key_is_unset_by_an_empty_text(tmp_path: Path) -> None:
    text = TEXT + '"gpt-4.1".max_tokens = 5\n'
    assert from_text(tmp_path, text).settings.models["gpt-4.1"].max_tokens == 5
    loaded = from_text(tmp_path, text, PIHUB_MODELS__GPT_4_1__MAX_TOKENS="")
    assert loaded.settings.models["gpt-4.1"].max_tokens is None


def test_a_single_underscore_is_noticed(tmp_path: Path) -> None:
    loaded = from_text(tmp_path, PIHUB_SERVER_LISTEN="x:1")
    assert loaded.warnings == (
        "env PIHUB_SERVER_LISTEN has no effect; did you mean PIHUB_SERVER__LISTEN?",
    )


# ---- secrets -------------------------------------------------------------------------


def test_the_key_is_nowhere_but_in_secrets(tmp_path: Path) -> None:
    loaded = from_text(tmp_path)
    assert loaded.secrets["my-claude"] == KEY.encode()
    for text in (repr(loaded), as_toml(loaded), str(as_json(loaded))):
        assert KEY not in text
    assert MASK in as_toml(loaded)
    assert as_json(loaded)["values"]["upstreams.my-claude.api_key_env"]["secret"] == MASK


def test_a_key_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "claude.key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    text = TEXT.replace('api_key_env = "CLAUDE_KEY"', f'api_key_file = "{file}"')
    assert from_text(tmp_path, text).secrets == {"my-claude": KEY.encode()}
    assert from_text(tmp_path, text).warnings == ()
    file.chmod(0o644)
    (warning,) = from_text(tmp_path, text).warnings
    assert f"others may read it: chmod 600 {file}" in warning
    file.write_text("two\nlines")
    with pytest.raises(ConfigError, match=r":7: .*api_key_file: the key holds a space"):
        from_text(tmp_path, text)
    file.write_text("")
    with pytest.raises(ConfigError, match="the key is empty"):
        from_text(tmp_path, text)
    file.unlink()
    with pytest.raises(ConfigError, match=r"cannot read .*claude\.key: No such file"):
        from_text(tmp_path, text)


def test_an_unset_variable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r":7: .*the environment variable CLAUDE_KEY is not set"):
        from_text(tmp_path, CLAUDE_KEY="")


# ---- warnings ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (
            '[apis.x]\nprefix="/x"\nurl="http://example.com"\napi_key_env="CLAUDE_KEY"\n',
            "use https",
        ),
        (
            '[apis.x]\nprefix="/x"\nurl="https://h"\nauth=false\napi_key_env="CLAUDE_KEY"\n',
            "auth is",
        ),
        ('[upstreams.b]\nkind="anthropic"\nurl="https://api.anthropic.com"\n', "has no key"),
        (
            '[upstreams.b]\nkind="ollama"\nurl="http://h"\ntimers={idle=50, total=40}\n',
            "50 s never fires: total is 40 s",
        ),
        ("[limits]\nstreams_per_worker = 1024\n", "may not all fit"),
    ],
)
def test_warnings_name_their_line(tmp_path: Path, extra: str, words: str) -> None:
    text = TEXT.split("[models]")[0] + extra
    (warning,) = from_text(tmp_path, text).warnings
    assert words in warning
    assert warning.startswith(f"{tmp_path}/pihub.toml:")


def test_an_open_address_is_warned_of(tmp_path: Path) -> None:
    text = TEXT.replace("127.0.0.1:9000", "0.0.0.0:9000")
    assert "can be reached from other machines" in from_text(tmp_path, text).warnings[0]
    behind = text.replace("[upstreams", 'public_url = "https://pi.example"\n[upstreams', 1)
    assert from_text(tmp_path, behind).warnings == ()


def test_a_file_without_targets_is_warned_of(tmp_path: Path) -> None:
    loaded = from_text(tmp_path, "[server]\n")
    assert not loaded.demo
    assert "nothing to serve" in loaded.warnings[0]


# ---- without a file ------------------------------------------------------------------


def test_nothing_at_all_is_a_demo(tmp_path: Path) -> None:
    loaded = load(None, {}, state_dir=tmp_path)
    assert loaded.demo
    assert loaded.settings.store.url == f"sqlite://{tmp_path}/pihub.db"
    assert all(upstream.simulated for upstream in loaded.settings.upstreams.values())
    assert loaded.settings.models["assistant"].chain == [
        "ollama/llama3.2:3b",
        "claude/claude-haiku-4-5",
    ]
    filled = loaded.with_simulators(
        {"ollama": "http://127.0.0.1:1", "claude": "http://127.0.0.1:2"}
    )
    assert [u.url for u in filled.settings.upstreams.values()] == [
        "http://127.0.0.1:1",
        "http://127.0.0.1:2",
    ]
    assert filled.demo


@pytest.mark.parametrize(
    ("environ", "names", "chain"),
    [
        ({"OLLAMA_HOST": "pi.local"}, ["ollama"], ["ollama/llama3.2:3b"]),
        ({"ANTHROPIC_API_KEY": KEY}, ["claude"], ["claude/claude-haiku-4-5"]),
        (
            {"OLLAMA_HOST": "pi.local", "ANTHROPIC_API_KEY": KEY},
            ["ollama", "claude"],
            ["ollama/llama3.2:3b", "claude/claude-haiku-4-5"],
        ),
    ],
)
def test_the_environment_alone(environ: dict[str, str], names: list[str], chain: list[str]) -> None:
    loaded = load(None, environ)
    assert not loaded.demo
    assert list(loaded.settings.upstreams) == names
    assert loaded.settings.models["assistant"].chain == chain
    assert not any(upstream.simulated for upstream in loaded.settings.upstreams.values())
    assert loaded.secrets.get("claude") == (KEY.encode() if "claude" in names else None)
    if "ollama" in names:
        assert loaded.provenance["upstreams.ollama.url"] == "env OLLAMA_HOST"


def test_a_file_beats_the_zero_configuration(tmp_path: Path) -> None:
    loaded = from_text(tmp_path, OLLAMA_HOST="pi.local")
    assert list(loaded.settings.upstreams) == ["my-claude"]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        (":5000", "http://127.0.0.1:5000"),
        ("pi.local", "http://pi.local:11434"),
        ("http://pi.local", "http://pi.local:80"),
        ("https://pi.local", "https://pi.local:443"),
        ("https://pi.local:8443/ollama/", "https://pi.local:8443/ollama"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("::1", "http://[::1]:11434"),
        ("[::]:5000", "http://127.0.0.1:5000"),
        (" 'pi.local' ", "http://pi.local:11434"),
    ],
)
def test_ollama_host_as_ollama_reads_it(host: str, url: str) -> None:
    assert ollama_url(host) == url


# ---- printing and the epoch ----------------------------------------------------------


def test_the_printed_configuration_gives_the_same_settings(tmp_path: Path) -> None:
    loaded = from_text(
        tmp_path,
        TEXT + '[apis.x]\nprefix = "/x"\nurl = "http://h"\nforward_headers = ["cookie"]\n',
    )
    text = as_toml(loaded)
    tomllib.loads(text)
    again = from_text(tmp_path, text)
    assert again.settings == loaded.settings


def test_the_epoch_follows_what_decides_about_answers(tmp_path: Path) -> None:
    base = from_text(tmp_path).settings
    replace = msgspec.structs.replace
    same = [
        from_text(tmp_path, PIHUB_SERVER__THREADS="5").settings,
        from_text(tmp_path, PIHUB_UPSTREAMS__MY_CLAUDE__TIMERS__TOTAL="9").settings,
        from_text(tmp_path, CLAUDE_KEY="another").settings,
        replace(base, upstreams=dict(reversed(base.upstreams.items()))),
    ]
    other = [
        from_text(tmp_path, PIHUB_UPSTREAMS__MY_CLAUDE__URL="https://h").settings,
        from_text(tmp_path, PIHUB_UPSTREAMS__MY_CLAUDE__KIND="openai").settings,
        from_text(tmp_path, PIHUB_MODELS__NEW__CHAIN="my-claude/x").settings,
        from_text(tmp_path, PIHUB_MODELS__GPT_4_1__MAX_TOKENS="5").settings,
    ]
    assert {epoch(settings) for settings in same} == {epoch(base)}
    assert len({epoch(settings) for settings in (base, *other)}) == 1 + len(other)
    assert 0 <= epoch(base) < 1 << 64


def test_settings_are_immutable(tmp_path: Path) -> None:
    settings: Settings = from_text(tmp_path).settings
    with pytest.raises(AttributeError):
        settings.server.listen = "x"  # type: ignore[misc]


def test_the_loader_reads_no_environment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIHUB_SERVER__THREADS", "7")
    monkeypatch.setenv("OLLAMA_HOST", "elsewhere")
    assert os.environ["OLLAMA_HOST"] == "elsewhere"
    assert from_text(tmp_path).settings.server.threads == 32
    assert load(None, {}).demo
