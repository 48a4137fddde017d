"""Every fault of a configuration, told with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pihub.errors import ConfigError
from pihub.settings.load import load

GOOD = """\
[upstreams.ollama]
kind = "ollama"
url = "http://127.0.0.1:11434"
"""
"""Three lines: what follows begins at line 4."""


def faults(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """The fault lines, with the file's folder taken away."""
    file = tmp_path / "pihub.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, environ or {})
    head, *lines = caught.value.message.splitlines()
    count = int(head.removeprefix("The configuration has ").split()[0])
    assert count == len(lines)
    return [line.strip().replace(f"{tmp_path}/", "") for line in lines]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[server]\ncors_origins = ["*"]\ncors_credentials = true\n',
            ':5: server.cors_origins: "*" cannot go with cors_credentials',
        ),
        (
            '[server]\ncors_production = ["*"]\n',
            ':5: server.cors_production: name the origins: "*" is not for production',
        ),
        ('[server]\nlisen = "x"\n', ':5: server.lisen: unknown key (did you mean "listen"?)'),
        ("[sever]\nlisten = 1\n", ':4: sever: unknown section (did you mean "server"?)'),
        ('listen = "127.0.0.1:1"\n', ":1: listen: unknown key (it belongs into [server])"),
        ("[server]\n\n# c\nworkers = 0\n", ':7: server.workers: must be "auto" or a whole number'),
        ('[server]\nworkers = "aut"\n', 'not "aut" (did you mean "auto"?)'),
        ("[server]\nworkers = true\n", ":5: server.workers: must be"),
        (
            "[server]\nthreads = 2.5\n",
            ":5: server.threads: must be a whole number above 0, not 2.5",
        ),
        ('[server]\nengine = "meinhelt"\n', '(did you mean "meinheld"?)'),
        ("[server]\nkeepalive = 0\n", "must be a number above 0 and at most 86400, not 0"),
        ("server = 3\n", ":1: server: must be a table: [server]"),
        ('[server]\nlisten = "8080"\n', ":5: server.listen: must be ADDRESS:PORT"),
        ('[server]\nlisten = ":8080"\n', 'names no address: write "127.0.0.1:8080"'),
        ('[server]\nlisten = "::1:8080"\n', 'stands in brackets: "[::1]:8080"'),
        ('[server]\nlisten = "127.0.0.1:99999"\n', "must be ADDRESS:PORT"),
        ('[server]\nrun_dir = "run"\n', ":5: server.run_dir: must be an absolute path"),
        ('[server]\npublic_url = "pi.local"\n', 'must begin with "http://" or "https://"'),
        ('[cache]\nsize = "64XB"\n', ":5: cache.size: a size is a number with KB, MB or GB"),
        ('[cache]\nsize = "640"\n', ':5: cache.size: must be from "1MB" to "64GB"'),
        ("[cache]\nsize = 64\n", ":5: cache.size: must be a string, not 64"),
        ('[cache]\nmax_value = "32MB"\n', ":5: cache.max_value: must be at most a quarter"),
        ('[store]\nurl = "pihub.db"\n', ':5: store.url: must be "sqlite://" and an absolute path'),
        ('[store]\nurl = "postgresql://x/y"\n', "PostgreSQL is not supported yet"),
        ('[gateway]\nprices_file = "/nowhere.toml"\n', "there is no file /nowhere.toml"),
        (
            "[gateway]\ncache_temperature = 3\n",
            "must be a number of at least 0 and at most 2, not 3",
        ),
        ('[upstreams]\nkind = "ollama"\n', ":5: upstreams.kind: must be a table: [upstreams.NAME]"),
        (
            '[upstreams.b]\nkind = "openai"\n',
            ":4: upstreams.b.url: is missing: it must be a string",
        ),
        ('[upstreams.b]\nurl = "http://h"\n', ":4: upstreams.b.kind: is missing: it must be"),
        (
            '[upstreams.b]\nkind = "openai"\nurl = "ftp://h"\n',
            ':6: upstreams.b.url: must begin with "http://" or "https://"',
        ),
        (
            '[upstreams.b]\nkind = "openai"\nurl = "http://h/v1?x=1"\n',
            "no query (?) and no fragment (#)",
        ),
        ('[upstreams.b]\nkind = "openai"\nurl = "http://:80"\n', "names no host"),
        (
            '[upstreams.b]\nkind = "openai"\nurl = "http://h:x"\n',
            "the host or the port is malformed",
        ),
        ('[upstreams.b]\nkind = "openai"\nurl = "http://a b"\n', "spaces or control characters"),
        (
            '[upstreams.b]\nkind = "openai"\nurl = "http://h"\nretries = 6\n',
            ":7: upstreams.b.retries: must be a whole number of at least 0 and at most 5, not 6",
        ),
        (
            '[upstreams.b]\nkind="openai"\nurl="http://h"\ntimers = { conect = 1 }\n',
            ':7: upstreams.b.timers.conect: unknown key (did you mean "connect"?)',
        ),
        (
            '[upstreams."b c"]\nkind = "openai"\nurl = "http://h"\n',
            ':4: upstreams."b c": a name is up to 64',
        ),
        ("[models.m]\nchain = []\n", ":5: models.m.chain: must be a list of strings (at least 1)"),
        ('[models.m]\nchain = ["ollama"]\n', '"ollama" must be "upstream/model"'),
        (
            '[models.m]\nchain = [\n  "ollama/a",\n  "olama/b",\n]\n',
            ':5: models.m.chain: "olama/b": there is no upstream "olama" (did you mean "ollama"?)',
        ),
        ('[models.m]\nchain = ["zzz/b"]\n', "(there are: ollama)"),
        ('[models.m]\nchain = ["ollama/a", "ollama/a"]\n', "stands in the chain twice"),
        ('[models."a/b"]\nchain = ["ollama/a"]\n', "has no slash"),
        ('[apis.x]\nurl = "http://h"\n', ":4: apis.x.prefix: is missing"),
        ('[apis.x]\nprefix = "x"\nurl = "http://h"\n', ":5: apis.x.prefix: must be a path"),
        ('[apis.x]\nprefix = "/x/"\nurl = "http://h"\n', ":5: apis.x.prefix: must be a path"),
        ('[apis.x]\nprefix = "/x/../y"\nurl = "http://h"\n', ":5: apis.x.prefix: must be a path"),
        ('[apis.x]\nprefix = "/v1/x"\nurl = "http://h"\n', "/v1 belongs to the hub"),
        (
            '[apis.x]\nprefix = "/x"\nurl = "http://h"\n[apis.y]\nprefix = "/x"\nurl = "http://h"\n',
            ":8: apis.y.prefix: is the prefix of apis.x already",
        ),
        (
            '[apis.ollama]\nprefix = "/x"\nurl = "http://h"\n',
            ":4: apis.ollama: has the name of an upstream",
        ),
        (
            '[apis.x]\nprefix = "/x"\nurl = "http://h"\nmethods = ["GTE"]\n',
            ':7: apis.x.methods: unknown method "GTE" (did you mean "GET"?)',
        ),
        (
            '[apis.x]\nprefix = "/x"\nurl = "http://h"\nforward_headers = ["Connection"]\n',
            ':7: apis.x.forward_headers: "Connection" belongs to the connection',
        ),
        (
            '[apis.x]\nprefix = "/x"\nurl = "http://h"\napi_key_header = "x y"\n',
            ":7: apis.x.api_key_header: is no name of a header field",
        ),
        (
            '[apis.x]\nprefix = "/x"\nurl = "http://h"\napi_key_env = "A"\napi_key_file = "/f"\n',
            ":8: apis.x.api_key_file: give either api_key_env or api_key_file",
        ),
    ],
)
def test_one_fault(tmp_path: Path, text: str, expected: str) -> None:
    top_level = not text.startswith("[")
    found = faults(tmp_path, text + GOOD if top_level else GOOD + text)
    assert len(found) == 1, found
    assert expected in found[0]
    assert found[0].startswith("pihub.toml:")


def test_all_faults_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
[server]
engin = "meinheld"
workers = "many"

[upstreams.a]
kind = "olama"
url = "https://user:hunter2@host"
api_key = "sk-ant-hunter2"

[models.m]
chain = ["b/x"]
"""
    found = faults(tmp_path, text, {"PIHUB_CACHE__TTL": "soon", "PIHUB_CACH__TTL": "1"})
    assert [line.partition(" ")[0] for line in found[:6]] == [
        f"pihub.toml:{n}:" for n in (2, 3, 6, 7, 8, 11)
    ]
    assert found[6:] == [
        "env PIHUB_CACHE__TTL: cache.ttl: must be a number above 0 and at most 86400",
        "env PIHUB_CACH__TTL: unknown key 'cach' (did you mean \"cache\"?)",
    ]
    assert "hunter2" not in "\n".join(found)


def test_a_key_in_the_file_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, GOOD + 'api_key = "sk-ant-hunter2"\n')
    assert found.startswith("pihub.toml:4: upstreams.ollama.api_key: secrets do not belong")
    assert 'api_key_env = "NAME"' in found
    assert "hunter2" not in found


def test_a_key_in_place_of_its_variable_is_not_repeated(tmp_path: Path) -> None:
    for value in ("sk-ant-hunter2", "hunter2secret"):
        (found,) = faults(tmp_path, GOOD + f'api_key_env = "{value}"\n')
        assert "pihub.toml:4" in found
        assert "hunter2" not in found


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[server]\nlisten = \n", 2, "no valid TOML"),
        ("[server]\na = 1\na = 2\n", 3, "no valid TOML"),
        ("[server\n", 1, "no valid TOML"),
        ('x = "never closed', 1, "no valid TOML"),
    ],
)
def test_no_toml(tmp_path: Path, text: str, line: int, words: str) -> None:
    (found,) = faults(tmp_path, text)
    assert found.startswith(f"pihub.toml:{line}: ")
    assert words in found


def test_no_utf8(tmp_path: Path) -> None:
    file = tmp_path / "pihub.toml"
    file.write_bytes(b"[server]\n# \xff\n")
    with pytest.raises(ConfigError, match=r"pihub\.toml:2: is not UTF-8"):
        load(file, {})


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*; name another with --config"):
        load(tmp_path / "nothing.toml", {})


def test_too_many_targets(tmp_path: Path) -> None:
    text = "".join(f'[upstreams.u{n}]\nkind="openai"\nurl="http://h"\n' for n in range(33))
    (found,) = faults(tmp_path, text)
    assert "at most 32 upstreams and APIs together" in found
