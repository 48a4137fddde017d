"""The first minute: start, banner, examples, reload, end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from pihub.cli.banner import budget
from pihub.shared.state import Plan
from tests.cli.conftest import Served, environment, pihub, running, state, wait_for

BASE, KEY = "Base URL", "API key"


def chat(served: Served, key: str = "", text: str = "hi") -> tuple[int, dict[str, str], str]:
    """A deterministic request, so that the second one may come from the cache."""
    request = urllib.request.Request(
        f"{served.found(BASE)}/chat/completions",
        data=json.dumps(
            {
                "model": "assistant",
                "temperature": 0,
                "messages": [{"role": "user", "content": text}],
            }
        ).encode(),
        headers={
            "authorization": f"Bearer {key or served.found(KEY)}",
            "content-type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as exc:
        return exc.code, dict(exc.headers), exc.read().decode()


def examples(served: Served) -> dict[str, str]:
    parts = re.split(r"^# ---- (.+)$", served.out, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_examples_of_the_banner_run_as_they_stand(served: Served) -> None:
    found = examples(served)
    assert set(found) == {"curl", "Python, openai", "Python, anthropic"}
    for name, text in found.items():
        words = ["sh", "-c", text] if name == "curl" else [sys.executable, "-c", text]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=60, cwd=served.folder, env=environment()
        )
        assert done.returncode == 0, done.stderr
        assert "Simulated Ollama answer" in done.stdout, name


def test_the_banner_names_what_is_simulated_and_the_dashboard(served: Served) -> None:
    assert "ollama (simulated), claude (simulated)" in served.out
    assert "Answers are simulated" in served.out
    assert served.found("Dashboard").endswith("/dashboard")
    assert (served.folder / ".pihub" / "pihub.db").exists()
    assert served.found(KEY) not in served.err


def test_the_banner_says_how_much_memory_the_hub_keeps_to(served: Served) -> None:
    [found] = re.findall(
        r"^  Memory +(\d+) MB: (\d+) shared \(cache (\d+)\), about (\d+) for each of (\d+) proc",
        served.out, re.MULTILINE,
    )  # fmt: skip
    whole, shared, cache, each, processes = map(int, found)
    assert whole == shared + each * processes
    assert 0 < cache < shared < 200


def test_a_machine_without_the_memory_cgroup_is_told_so() -> None:
    plan = Plan(workers=2, cache_bytes=64 << 20)
    [alone] = budget(plan, cgroup=True)
    first, *more = budget(plan, cgroup=False)
    assert first == alone
    assert "the memory cgroup is off" in more[0]


def test_another_key_is_refused(served: Served) -> None:
    status, _, body = chat(served, key="ph_wrong")
    assert status == 401
    assert "simulated" not in body.lower()


@pytest.mark.slow
def test_the_same_demo_key_at_the_next_start_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        key, demo = first.found(KEY), first.demo_pid()
        assert chat(first)[0] == 200
        assert first.stop() == 0
        wait_for(lambda: state(demo) in ("", "Z"), what="the end of the simulators")
    with running(tmp_path) as again:
        assert again.found(KEY) == key
        assert chat(again)[0] == 200
        revoked = again.cli("keys", "revoke", "1")
        assert revoked.returncode == 0, revoked.stderr
        wait_for(lambda: chat(again)[0] == 401, what="the refusal of the revoked key")
    with running(tmp_path) as third:
        assert third.found(KEY) != key
        assert chat(third)[0] == 200


@pytest.mark.slow
def test_a_reload_keeps_the_simulators_and_says_nothing_twice(tmp_path: Path) -> None:
    with running(tmp_path) as served:
        demo = served.demo_pid()
        assert chat(served)[0] == 200
        reload(served)
        assert served.demo_pid() == demo
        status, headers, body = chat(served, text="after the reload")
        assert status == 200
        assert "after the reload" in body
        assert headers["x-pihub-route"].startswith("ollama")
        assert served.out.count("is ready") == 1


@pytest.mark.slow
def test_simulators_that_died_come_back_with_a_reload(tmp_path: Path) -> None:
    with running(tmp_path) as served:
        demo = served.demo_pid()
        os.kill(demo, signal.SIGKILL)
        wait_for(lambda: state(demo) == "", what="the burial of the simulators")
        reload(served)
        assert served.demo_pid() != demo
        assert chat(served)[0] == 200
        started = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - started < 10


@pytest.mark.slow
def test_the_simulators_end_with_a_killed_hub(tmp_path: Path) -> None:
    with running(tmp_path) as served:
        demo = served.demo_pid()
        served.process.kill()
        served.process.wait(10)
        wait_for(lambda: state(demo) in ("", "Z"), what="the end of the simulators")
    # Its workers notice too; the next start must not find them on the run folder.
    with running(tmp_path) as again:
        assert chat(again)[0] == 200


def reload(served: Served) -> None:
    """SIGHUP, and wait until other workers serve."""
    before = set(worker_pids(served))
    assert before
    served.process.send_signal(signal.SIGHUP)

    def renewed() -> bool:
        now = set(worker_pids(served))
        return bool(now) and not now & before

    wait_for(renewed, 60, f"the reload: {served.err}")


def worker_pids(served: Served) -> list[int]:
    done = served.cli("top", "--json")
    if done.returncode:
        return []
    return [one["pid"] for one in json.loads(done.stdout)["processes"] if one["role"] == "worker"]


@pytest.mark.slow
def test_a_key_is_shown_at_the_first_start_only(tmp_path: Path) -> None:
    """With a real configuration, which here names nobody that answers."""
    text = '[upstreams.ollama]\nkind = "ollama"\nurl = "http://127.0.0.1:9"\n'
    text += f'[store]\nurl = "sqlite://{tmp_path}/data/pihub.db"\n'
    (tmp_path / "pihub.toml").write_text(text)
    with running(tmp_path) as first:
        assert "shown once" in first.out
        assert first.found(KEY).startswith("ph_")
    with running(tmp_path) as again:
        assert "ph_" not in again.out
        assert "pihub keys create" in again.out
        assert "simulated" not in again.out


def test_a_wrong_configuration_is_told_and_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "pihub.toml").write_text("[server]\nlisten = 1\n")
    done = pihub("serve", cwd=tmp_path)
    assert done.returncode == 1
    assert "pihub.toml:2: server.listen: must be a string, not 1" in done.stderr
    assert "Traceback" not in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["pihub.toml"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    done = pihub("serve", cwd=tmp_path, PIHUB_STORE__URL=f"sqlite://{tmp_path}/data/pihub.db")
    assert done.returncode == 1
    assert "set store.url" in done.stderr
    assert "Traceback" not in done.stderr
