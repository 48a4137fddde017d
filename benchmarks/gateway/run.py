"""The run: start all, interleave, report ratios."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from benchmarks.gateway import peers
from benchmarks.gateway.load import Sample, wrk

SERVER_CORE, LOAD_CORE = 0, min(1, (os.cpu_count() or 1) - 1)
FLOORS = {"hit": 0.6, "pass": 0.3}
"""Requests a second, as a share of nginx's, that the hub must reach."""

CONFIG = """
[server]
listen = "127.0.0.1:{port}"
engine = "{engine}"
workers = 1
[store]
url = "sqlite://{dir}/pihub.db"
[limits]
requests_per_minute = 1000000000
burst = 1000000000
[upstreams.mock]
kind = "openai"
url = "http://127.0.0.1:{upstream}"
[models.bench]
chain = ["mock/m1"]
"""


class HubProcess:
    """A hub with one worker in front of the mock."""

    def __init__(self, folder: Path, upstream: int, engine: str) -> None:
        folder.mkdir()
        self.port = peers.free_port()
        config = folder / "pihub.toml"
        config.write_text(
            CONFIG.format(port=self.port, engine=engine, dir=folder, upstream=upstream)
        )
        base = [sys.executable, "-m", "pihub"]
        made = subprocess.run(
            [*base, "keys", "create", "--config", str(config), "--name", "bench"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        self.key = next(w for w in made.stdout.split() if w.startswith("ph_"))
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *base, "serve", "--config", str(config)],
            stdout=self.log, stderr=self.log,
        )  # fmt: skip
        peers.wait_port(self.port)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


def check(url: str, body: str, headers: dict[str, str], wanted: str) -> None:
    """The contender must really do the work before it is timed."""
    request = urllib.request.Request(url, body.encode(), headers)
    for _ in range(2):
        with urllib.request.urlopen(request, timeout=10) as answer:
            told = answer.headers.get("x-pihub-cache", "")
            assert json.load(answer)["choices"], "not an answer"
    if wanted and not told.startswith(wanted):
        raise SystemExit(f"{url}: expected {wanted}, the hub said {told!r}")


def run(args: argparse.Namespace) -> int:
    """Prints the table; 1 if a floor is missed."""
    peers.install()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        mock, upstream = peers.upstream(folder / "up", LOAD_CORE)
        nginx, proxy = peers.proxy(folder / "nginx", upstream, SERVER_CORE)
        hub = HubProcess(folder / "hub", upstream, "meinheld")
        try:
            samples = measure(args, folder, nginx, proxy, hub)
        finally:
            for server in (hub, nginx, mock):
                server.stop()
    return report(args, samples)


Contender = tuple[str, str, dict[str, str], str, int]
"""URL, body, headers, how its x-pihub-cache begins, and the process whose tree is timed."""


def measure(
    args: argparse.Namespace, folder: Path, nginx: peers.Nginx, proxy: int, hub: HubProcess,
    more: Mapping[str, tuple[int, dict[str, str], int]] = {},
) -> dict[str, list[Sample]]:
    """`more`: further proxies by name, (port, headers, pid), that only pass chats through."""
    prompt = "Say what a gateway does. " * 24
    hit = peers.REQUEST % ("bench", prompt, "0")
    passed = peers.REQUEST % ("bench", prompt, "1")
    plain = {"content-type": "application/json"}
    auth = {**plain, "authorization": f"Bearer {hub.key}"}
    chat = "/v1/chat/completions"
    contenders: dict[str, Contender] = {
        "hit nginx": (f"http://127.0.0.1:{proxy}/cached{chat}", hit, plain, "", nginx.process.pid),
        "hit pihub": (f"http://127.0.0.1:{hub.port}{chat}", hit, auth, "HIT", hub.process.pid),
        "pass nginx": (f"http://127.0.0.1:{proxy}{chat}", passed, plain, "", nginx.process.pid),
        "pass pihub": (
            f"http://127.0.0.1:{hub.port}{chat}", passed, auth, "BYPASS", hub.process.pid
        ),
    }
    for name, (port, headers, pid) in more.items():
        contenders[f"pass {name}"] = (f"http://127.0.0.1:{port}{chat}", passed, headers, "", pid)
    for url, body, headers, wanted, _ in contenders.values():
        check(url, body, headers, wanted)
    samples: dict[str, list[Sample]] = {name: [] for name in contenders}
    for turn in range(args.rounds + 1):
        for name, (url, body, headers, _, pid) in contenders.items():
            sample = wrk(
                url, body, headers, folder / "load.lua",
                seconds=args.seconds if turn else 1, connections=args.connections,
                core=LOAD_CORE, server_pid=pid,
            )  # fmt: skip
            if turn:  # the first round only warms up
                samples[name].append(sample)
                figures = f"{sample.rps:9.0f} req/s {sample.cpu_us:7.1f} us"
                print(f"  {name:11} {figures}", file=sys.stderr)
    return samples


def report(args: argparse.Namespace, samples: dict[str, list[Sample]]) -> int:
    medians = {
        name: Sample(
            statistics.median(s.rps for s in rows),
            statistics.median(s.cpu_us for s in rows),
            sum(s.errors for s in rows),
        )
        for name, rows in samples.items()
    }
    print(f"{platform.machine()}, Python {platform.python_version()}, "
          f"{args.connections} connections, "
          f"medians of {args.rounds} rounds of {args.seconds:g} s")  # fmt: skip
    columns = ["nginx req/s", "pihub req/s", "ratio", "floor"]
    columns += ["nginx CPU us", "pihub CPU us", "errors"]
    print(f"| job | {' | '.join(columns)} |")
    print("|---" + "|--:" * len(columns) + "|")
    missed = 0
    for job, floor in FLOORS.items():
        ours, theirs = medians[f"{job} pihub"], medians[f"{job} nginx"]
        ratio = ours.rps / theirs.rps
        missed |= ratio < floor or ours.errors > 0
        print(f"| {job} | {theirs.rps:.0f} | {ours.rps:.0f} | {ratio:.2f} | {floor} "
              f"| {theirs.cpu_us:.1f} | {ours.cpu_us:.1f} | {ours.errors} |")  # fmt: skip
    if args.json:
        rows = {n: [vars(s) for s in r] for n, r in samples.items()}
        Path(args.json).write_text(json.dumps({"gateway": rows}, indent=1))
    return int(missed)
