"""`python -m benchmarks suite`: three minutes (`--full`: half an hour) and a report."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gateway import peers
from benchmarks.gateway.load import told, tree
from benchmarks.gateway.run import LOAD_CORE, SERVER_CORE, HubProcess, measure
from benchmarks.suite import litellm, report
from benchmarks.suite.openloop import Call, Result, load
from pihub.demo.harness import Demo
from pihub.ops.machine import read, written_by
from pihub.shared.state import Plan, SharedState

CHAT = "/v1/chat/completions"
BURST = 20
CONFIG = """
[server]
listen = "127.0.0.1:{port}"
workers = 2
[store]
url = "sqlite://{dir}/pihub.db"
[limits]
requests_per_minute = 1000000000
burst = 1000000000
[upstreams.mock]
kind = "openai"
url = "http://127.0.0.1:{mock}"
[upstreams.sim]
kind = "openai"
url = "http://127.0.0.1:{sim}"
simulated = true
[upstreams.sim.breaker]
failures = 1000000
[models.bench]
chain = ["mock/m1"]
[models.sim]
chain = ["sim/gpt-4o-mini"]
[models.safe]
chain = ["sim/gpt-4o-mini", "mock/m1"]
"""


class Hub:
    """Two workers before nginx as an upstream and before the simulators."""

    def __init__(self, folder: Path, mock: int, sim: int) -> None:
        folder.mkdir()
        self.port = peers.free_port()
        self.folder = folder
        config = folder / "pihub.toml"
        config.write_text(CONFIG.format(port=self.port, dir=folder, mock=mock, sim=sim))
        base = [sys.executable, "-m", "pihub"]
        made = subprocess.run(
            [*base, "keys", "create", "--config", str(config), "--name", "bench"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        key = next(w for w in made.stdout.split() if w.startswith("ph_"))
        self.headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        began = time.perf_counter()
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [*base, "serve", "--config", str(config)], stdout=log, stderr=log
            )
        while "ready:" not in (folder / "log").read_text():
            if self.process.poll() is not None or time.perf_counter() - began > 60:
                raise SystemExit((folder / "log").read_text())
            time.sleep(0.005)
        self.started = time.perf_counter() - began

    def check(self) -> None:
        """Raises SystemExit if it has ended: half an hour of failures would not say why."""
        if self.process.poll() is not None:
            raise SystemExit(f"the hub has ended:\n{(self.folder / 'log').read_text()[-2000:]}")

    def written(self) -> int:
        return sum(written_by(list(tree(self.process.pid))).values())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def pss(root: int) -> float:
    """MB of a process and all below it, shared pages counted once."""
    total = 0
    for pid in tree(root):
        for line in told(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def run(args: argparse.Namespace) -> int:
    """Writes the report; 1 if requests failed that no fault was made for."""
    peers.install()
    rounds, seconds = (10, 15.0) if args.full else (3, 3.0)
    figures: dict[str, dict[str, Any]] = {}
    document = {
        "machine": report.describe(), "rounds": rounds, "figures": figures, "notes": [],
    }  # fmt: skip
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers end with it
    with contextlib.ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        demo = ends.enter_context(Demo(pace=0, first_token=0.02))
        folder.chmod(0o755)
        mock, upstream = peers.upstream(folder / "up", LOAD_CORE)
        ends.callback(mock.stop)
        nginx, proxy = peers.proxy(folder / "nginx", upstream, SERVER_CORE)
        ends.callback(nginx.stop)
        starts = []
        for turn in range(3):
            hub = Hub(folder / f"hub{turn}", upstream, demo.ports["openai"])
            starts.append(hub.started)
            if turn < 2:
                hub.stop()
        try:
            figures["start to ready"] = report.figure(starts, "s")
            figures["memory idle, all processes"] = report.figure(
                [pss(hub.process.pid)], "MB PSS"
            )
            rows, failed = open_loop(figures, hub, proxy, demo, rounds, seconds, args.rate_open)
            figures["memory after load"] = report.figure([pss(hub.process.pid)], "MB PSS")
        finally:
            hub.stop()
        closed_loop(args, figures, folder, nginx, proxy, upstream, rounds, seconds)
    in_process(figures)
    sizes(figures)
    document["notes"] = [*notes(failed), *report.fared(document["machine"], read())]
    page = report.write(Path(args.out), document, rows, args.baseline)
    print(page.read_text())
    print(f"{page}, result.json, latency.svg")
    return int(bool(failed))


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr)


def notes(failed: Sequence[str]) -> list[str]:
    peer = "was" if litellm.installed() else "is not installed and was not"
    return [
        "server and load generator share this machine: the generator slows what it measures",
        f"requests that failed without an injected fault: {', '.join(failed) or 'none'}",
        f"LiteLLM {peer} measured beside the hub; Olla has no package that this program can start",
    ]


def bodies(model: str, temperature: float, stream: bool, salt: str) -> Callable[[int], Call]:
    def make(number: int) -> Call:
        body = {
            "model": model, "temperature": temperature, "max_tokens": 200, "stream": stream,
            "messages": [{"role": "user", "content": f"{salt}. " + "Say what it does. " * 24}],
        }  # fmt: skip
        return Call(CHAT, json.dumps(body).encode(), stream)

    return make


def open_loop(
    figures: dict[str, Any], hub: Hub, proxy: int, demo: Demo, rounds: int, seconds: float,
    rate: float,
) -> tuple[dict[str, list[float]], list[str]]:  # fmt: skip
    """Each job, interleaved by rounds. Returns latencies by job, and unwanted failures in words."""
    hit, passed = bodies("bench", 0, False, "hit"), bodies("bench", 1, False, "pass")
    streamed = bodies("sim", 1, True, "stream")
    kinds = (hit, passed, streamed)
    plain = {"content-type": "application/json"}
    jobs: dict[str, tuple[int, dict[str, str], float, Callable[[int], Call]]] = {
        "hit": (hub.port, hub.headers, rate, hit),
        "pass-through": (hub.port, hub.headers, rate, passed),
        "pass-through, nginx": (proxy, plain, rate, passed),
        "stream": (hub.port, hub.headers, rate / 8, streamed),
        "mixed": (hub.port, hub.headers, rate / 4, lambda n: kinds[n % 3](n)),
        "under faults": (hub.port, hub.headers, rate / 4, bodies("safe", 1, False, "safe")),
    }
    results: dict[str, list[Result]] = {name: [] for name in jobs}
    bursts, disk = [], []
    for turn in range(rounds + 1):
        say(f"round {turn} of {rounds}" if turn else "warming up")
        for name, (port, headers, speed, make) in jobs.items():
            if name == "under faults":
                for _ in range(max(1, round(speed * seconds / 10))):
                    demo.faults("openai", "F6", times=1)
            wrote, count = hub.written(), round(speed * seconds)
            one = load(port, headers, speed, seconds if turn else 1.0, make)
            hub.check()
            if name == "under faults":
                demo.clear("openai")  # what its calls have left would fail other jobs'
            if turn:
                results[name].append(one)
                if name == "pass-through":
                    time.sleep(2.5)  # until the records are flushed
                    disk.append((hub.written() - wrote) / count)
        if turn:
            bursts.append(burst(hub, demo, turn))
    for name, found in results.items():
        for mark, label in ((50, "p50"), (99, "p99")):
            values = [percentile(one.latency, mark) for one in found]
            figures[f"{name}, {label}"] = report.figure(values, "ms")
        if found[0].first:
            values = [percentile(one.first, 50) for one in found]
            figures[f"{name}, first byte p50"] = report.figure(values, "ms")
    answered = [
        100 * one.statuses.get(200, 0) / (sum(one.statuses.values()) + one.failures)
        for one in results["under faults"]
    ]
    figures["under faults, not answered"] = report.figure([100 - a for a in answered], "%")
    figures[f"upstream calls for {BURST} equal requests at once"] = report.figure(bursts, "calls")
    figures["written to disk"] = report.figure(disk, "bytes a request")
    late = sum(one.disturbed for found in results.values() for one in found)
    sent = sum(len(one.latency) for found in results.values() for one in found)
    figures["requests that the generator sent late"] = report.figure([100 * late / sent], "%")
    failed = failures({n: found for n, found in results.items() if n != "under faults"})
    rows = {n: list(itertools.chain(*(o.latency for o in f))) for n, f in results.items()}
    return rows, failed


def failures(results: Mapping[str, Sequence[Result]]) -> list[str]:
    """What failed, as "hit: 3 x status 503"; 0: no answer at all."""
    found: Counter[tuple[str, int]] = Counter()
    for name, rounds in results.items():
        for one in rounds:
            found[name, 0] += one.failures
            found.update({(name, code): n for code, n in one.statuses.items() if code != 200})
    return [
        f"{name}: {n} x {f'status {code}' if code else 'no answer'}"
        for (name, code), n in sorted(found.items())
        if n
    ]


def burst(hub: Hub, demo: Demo, turn: int) -> int:
    """How often the upstream is called for equal requests that come at the same time."""
    make = bodies("sim", 0, False, f"burst {turn}")
    before = demo.stats("openai")["requests"]  # its log keeps the newest only
    load(hub.port, hub.headers, 20_000, BURST / 20_000, make)
    return int(demo.stats("openai")["requests"]) - int(before)


def percentile(values: list[float], mark: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * mark / 100))] if ordered else 0.0


def closed_loop(
    args: argparse.Namespace, figures: dict[str, Any], folder: Path, nginx: peers.Nginx,
    proxy: int, upstream: int, rounds: int, seconds: float,
) -> None:  # fmt: skip
    """What one worker can do beside one of nginx's, by wrk."""
    args.rounds, args.seconds = rounds, min(seconds, 5.0)
    peer = (
        litellm.LiteLLM(folder / "litellm", upstream, SERVER_CORE)
        if litellm.installed()
        else None
    )
    others = {} if peer is None else {"litellm": (peer.port, peer.headers, peer.process.pid)}
    hub = HubProcess(folder / "one", upstream, "meinheld")
    try:
        samples = measure(args, folder, nginx, proxy, hub, others)
        if peer is not None:
            figures["litellm, start to ready"] = report.figure([peer.started], "s")
            figures["litellm, memory after load"] = report.figure(
                [pss(peer.process.pid)], "MB PSS"
            )
    finally:
        hub.stop()
        if peer is not None:
            peer.stop()
    for name, found in samples.items():
        figures[f"{name}, most"] = report.figure([s.rps for s in found], "req/s")
        figures[f"{name}, CPU a request"] = report.figure([s.cpu_us for s in found], "us")
    for job in ("hit", "pass"):
        pairs = zip(samples[f"{job} pihub"], samples[f"{job} nginx"], strict=True)
        figures[f"{job}, pihub to nginx"] = report.figure([a.rps / b.rps for a, b in pairs], "x")
    if peer is not None:
        pairs = zip(samples["pass pihub"], samples["pass litellm"], strict=True)
        figures["pass, pihub to litellm"] = report.figure([a.rps / b.rps for a, b in pairs], "x")


def in_process(figures: dict[str, Any]) -> None:
    """The core's steps, in this process; microseconds, a Python call included."""
    state = SharedState.create(Plan(1, 8 << 20))

    def timed(step: Callable[[], object]) -> Iterator[float]:
        for _ in range(7):
            began = cpu_seconds_here()
            for _ in range(20_000):
                step()
            yield (cpu_seconds_here() - began) / 20_000 * 1e6

    add, names = state.counters.add, state.names
    figures["core: count"] = report.figure(list(timed(lambda: add(1, 0, 1))), "us")
    figures["core: intern a name"] = report.figure(list(timed(lambda: names.intern("m1"))), "us")
    figures["core: admit's share"] = report.figure(
        list(timed(lambda: state.machine.share(512))), "us"
    )


def cpu_seconds_here() -> float:
    return time.process_time()


def sizes(figures: dict[str, Any]) -> None:
    import pihub

    home = Path(pihub.__file__).parent
    kinds = (".py", ".so", ".sql", ".js", ".css", ".html")
    kept = [p for p in home.rglob("*") if p.suffix in kinds]
    total = sum(p.stat().st_size for p in kept)
    figures["the program's files"] = report.figure([total / 1e6], "MB")


