"""Starts a hub by a given command, asks it, and stops it (standard library only).

    python arm/serve_check.py [--demo] [--known FILE] [--sdk] -- COMMAND...
    python arm/serve_check.py --at URL --known FILE        a hub that runs already

Without --demo the simulated upstreams are started here, by this Python, so that an
emulated hub need not start another program. --known keeps the key of the first start in
FILE and asks with it after later ones. --sdk asks once more with the official openai SDK.
Fails with a sentence if an answer is not what an SDK would take: a chat, a stream with
its end mark, a wrong key, the metrics.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STARTS = 1800.0
ANSWERS = 600.0
ENDS = 600.0
"""Seconds, for a hub that runs emulated on a busy machine: they end a hang, no more."""


def main() -> int:
    if sys.argv[1] == "--at":
        check(sys.argv[2], Path(sys.argv[4]).read_text().strip())
        return 0
    at = sys.argv.index("--")
    command, own = sys.argv[at + 1 :], sys.argv[1:at]
    demo = "--demo" in own
    known = Path(own[own.index("--known") + 1]) if "--known" in own else None
    port = free_port()
    environ = dict(os.environ, PIHUB_SERVER__LISTEN=f"127.0.0.1:{port}")
    environ.pop("PYTHONPATH", None)  # the caller's SDK is not the hub's
    with tempfile.TemporaryDirectory(prefix="serve-check-") as folder:
        upstreams = None
        if not demo:
            upstreams, environ = simulators(environ, Path(folder))
            command = with_environment(command, environ)
        log = Path(folder) / "log"
        with log.open("w") as out:
            hub = subprocess.Popen(
                command, env=environ, cwd=None if demo else folder,
                stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            key = known.read_text() if known is not None and known.exists() else ""
            shown = first_key(hub, log, ready=port if key else None)
            if known is not None and not key:
                known.write_text(shown)
            check(f"http://127.0.0.1:{port}", key or shown)
            if "--sdk" in own:
                by_sdk(f"http://127.0.0.1:{port}/v1", key or shown)
        except BaseException:
            print(log.read_text()[-4000:], file=sys.stderr)
            raise
        finally:
            hub.send_signal(signal.SIGTERM)
            code = hub.wait(ENDS)
            if upstreams is not None:
                upstreams.terminate()
                upstreams.wait(ENDS)
    if code != 0:
        raise SystemExit(f"the hub ended with code {code}")
    return 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


def simulators(
    environ: dict[str, str], folder: Path
) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """Native ones, and the configuration that names them."""
    child = subprocess.Popen(
        [sys.executable, "-m", "pihub.demo", "--with-parent"], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert child.stdout is not None
    ports = json.loads(child.stdout.readline())
    text = "\n".join(
        [f"[upstreams.{name}]\nkind = \"{kind}\"\nurl = \"http://127.0.0.1:{ports[name]}\"\n"
         "simulated = true\n" for name, kind in (("ollama", "ollama"), ("claude", "anthropic"))]
    )  # fmt: skip
    text += '[models.assistant]\nchain = ["ollama/llama3.2:3b", "claude/claude-haiku-4-5"]\n'
    text += f'[store]\nurl = "sqlite://{folder}/pihub.db"\n'
    file = folder / "pihub.toml"
    file.write_text(text)
    return child, {**environ, "PIHUB_CONFIG": str(file), "PIHUB_SERVER__WORKERS": "2"}


def with_environment(command: list[str], environ: Mapping[str, str]) -> list[str]:
    """`env -i NAME=value … PROGRAM`: the hub's variables among them."""
    if command[:2] != ["env", "-i"]:
        return command
    own = [f"{name}={value}" for name, value in environ.items() if name.startswith("PIHUB_")]
    return [*command[:2], *own, *command[2:]]


def first_key(hub: subprocess.Popen[Any], log: Path, ready: int | None) -> str:
    """From the banner; "" once port `ready` answers, for a hub that has shown its key before."""
    end = time.monotonic() + STARTS
    while time.monotonic() < end:
        if ready is not None:
            with contextlib.suppress(OSError):
                status, _, _ = ask(f"http://127.0.0.1:{ready}/v1/models", "ph_wrong")
                if status == 401:  # until its keys are in force it says 503
                    return ""
        if found := re.search(r"\bph_[A-Za-z0-9_-]{20,}", log.read_text()):
            return found[0]
        if hub.poll() is not None:
            raise SystemExit(f"the hub ended at its start with code {hub.returncode}")
        time.sleep(0.1)
    raise SystemExit(f"the hub showed no key within {STARTS:.0f} s")


def ask(url: str, key: str, body: Any = None) -> tuple[int, Mapping[str, str], bytes]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(url, data, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=ANSWERS) as answer:  # noqa: S310
            return answer.status, dict(answer.headers.items()), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers.items()), error.read()


def check(base: str, key: str) -> None:
    """Raises SystemExit with what is wrong."""
    chat = {"model": "assistant", "messages": [{"role": "user", "content": "Say hello."}],
            "temperature": 0}  # fmt: skip
    began = time.monotonic()
    status, headers, body = ask(f"{base}/v1/chat/completions", key, chat)
    demand(status == 200, "a chat", status, body)
    text = json.loads(body)["choices"][0]["message"]["content"]
    demand(bool(text), "its text", status, body)
    status, headers, again = ask(f"{base}/v1/chat/completions", key, chat)
    demand(headers.get("x-pihub-cache", "").startswith("HIT"), "the cache", status, again)
    status, headers, body = ask(f"{base}/v1/chat/completions", key, {**chat, "stream": True,
                                                                     "temperature": 1})  # fmt: skip
    demand(status == 200 and body.rstrip().endswith(b"data: [DONE]"), "a stream", status, body)
    demand(body.count(b"data: ") > 3, "its pieces", status, body)
    status, _, body = ask(f"{base}/v1/chat/completions", "ph_wrong", chat)
    demand(status == 401, "a wrong key", status, body)
    status, _, body = ask(f"{base}/metrics", key)
    demand(status == 200 and b"pihub_requests_total" in body, "the metrics", status, body)
    print(f"chat, hit, stream, refusal, metrics: {time.monotonic() - began:.1f} s ({text[:30]!r})")


def by_sdk(base: str, key: str) -> None:
    """A chat and a stream as an application asks for them."""
    from openai import OpenAI  # only where it was asked for

    client = OpenAI(base_url=base, api_key=key, timeout=ANSWERS, max_retries=0)
    question: Any = [{"role": "user", "content": "Say hello to the SDK."}]
    whole = client.chat.completions.create(model="assistant", messages=question)
    demand(bool(whole.choices[0].message.content), "the SDK's chat", 200, b"")
    pieces = [
        piece.choices[0].delta.content or ""
        for piece in client.chat.completions.create(
            model="assistant", messages=question, temperature=1, stream=True
        )
        if piece.choices
    ]
    demand(len("".join(pieces)) > 0 and len(pieces) > 1, "the SDK's stream", 200, b"")
    print(f"SDK: a chat, and a stream of {len(pieces)} pieces")


def demand(fulfilled: bool, what: str, status: int, body: bytes) -> None:
    if not fulfilled:
        raise SystemExit(f"{what} is not as it should be: {status} {body[:400]!r}")


if __name__ == "__main__":
    raise SystemExit(main())
