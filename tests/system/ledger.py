"""Requests of every kind while clients drop, workers are killed and upstreams fail: what the
ledger says must be what the simulated upstreams say they made.

Each request carries a trace, and the hub's own request id goes to the upstream as its parent:
so each call in a simulator's log is one row of the ledger. Three classes are told apart:

* exact: all calls of the request ended well or made nothing. Tokens and cost must be equal.
* cut: a call was broken off in the middle (killed worker, cut stream). The row must be there,
  marked as an estimate; how far off the estimates are is reported.
* free of calls: must have cost nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from pihub.domain.chat import Usage
from pihub.settings.prices import builtin_prices
from tests.system.hub import HubProcess, Upstreams

EXTRA = """
[gateway]
lane = false
[streams]
linger = 5
[models.paid]
chain = ["openai/gpt-4o-mini", "claude/claude-haiku-4-5"]
"""
"""The lane is off: it answers plain chats to unencrypted upstreams, which paid ones are not,
and what a worker is killed with in it is not known."""
FAULTS = (
    ("F6", {}), ("F5", {"retry_after": "1"}), ("F9", {"after_tokens": 15}),
    ("F12", {"after_tokens": 8}), ("F17", {"after_tokens": 10}), ("F11", {}),
)  # fmt: skip
ROUND = 1000
"""Requests between two looks into the simulators' logs, which hold 5000."""
ESTIMATED = 16
SIGN = 1 << 63


@dataclass
class Plan:
    requests: int
    clients: int = 16
    drops: float = 0.15
    """The share of requests whose client leaves early."""
    kills: int = 4
    fault_every: int = 25
    """Requests between two injected faults."""
    seed: int = 1


@dataclass
class Report:
    requests: int = 0
    dropped: int = 0
    kills: int = 0
    faults: int = 0
    calls: int = 0
    exact: int = 0
    cut: int = 0
    exact_ledger_nano: int = 0
    exact_upstream_nano: int = 0
    cut_ledger_nano: int = 0
    cut_upstream_nano: int = 0
    """For cut calls: the prompt and what had been sent."""
    unsent: int = 0
    """Estimates of killed workers for calls that were about to be made and never arrived."""
    unsent_nano: int = 0
    missing: int = 0
    """Calls without a row."""
    twice: int = 0
    wrong: list[str] = field(default_factory=list)
    """Exact rows that differ, and rows with a cost but without a call; the first few."""
    counters_off_nano: int = 0
    """The budget's counter against the sum of the ledger, at the end."""
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        return not (self.missing or self.twice or self.wrong or self.counters_off_nano) and (
            self.exact_ledger_nano == self.exact_upstream_nano
        )


class Client(threading.Thread):
    def __init__(self, run: Torture, number: int, count: int) -> None:
        super().__init__(daemon=True)
        self.torture, self.count = run, count
        self.rng = random.Random(run.plan.seed * 1000 + number)
        self.number = number
        self.dropped = 0

    def run(self) -> None:
        for n in range(self.count):
            with contextlib.suppress(OSError):
                self._ask(n)
            self.torture.asked()

    def _ask(self, n: int) -> None:
        rng = self.rng
        text = f"[[tokens:{rng.randint(5, 60)}]] question {self.number}-{n}-{rng.random()}"
        body: dict[str, Any] = {
            "model": rng.choice(["cloud", "paid", "compatible"]), "max_tokens": 300,
            "messages": [{"role": "user", "content": text}],
        }  # fmt: skip
        if rng.random() < 0.6:
            body["stream"] = True
        if rng.random() < 0.2:
            body["temperature"] = 0
        path = rng.choice(["/v1/chat/completions", "/v1/messages"])
        head = f"POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        head += f"x-api-key: {self.torture.hub.key}\r\nContent-Type: application/json\r\n"
        head += f"traceparent: 00-{rng.getrandbits(128):032x}-{rng.getrandbits(64) | 1:016x}-01\r\n"
        if rng.random() < 0.1:
            head += f"Idempotency-Key: {self.number}-{n}\r\n"
        data = json.dumps(body).encode()
        with socket.create_connection(("127.0.0.1", self.torture.hub.port), timeout=30) as sock:
            sock.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
            if rng.random() < self.torture.plan.drops:
                self.dropped += 1
                time.sleep(rng.random() * 0.08)
                return
            while sock.recv(65536):
                pass


class Torture:
    def __init__(self, plan: Plan, folder: Path, upstreams: Upstreams) -> None:
        self.plan, self.upstreams, self.report = plan, upstreams, Report()
        self.hub = HubProcess(folder, upstreams, extra=EXTRA, workers=2)
        self._rng = random.Random(plan.seed)
        self._lock = threading.Lock()
        self._calls: dict[int, list[dict[str, Any]]] = {}
        self._done = 0

    def run(self) -> Report:
        for name in ("claude", "openai"):  # what others asked of the same simulators is not ours
            self.upstreams.clear_log(name)
        with self.hub:
            self.hub.pihub("budgets", "set", "tenant", "default", "--per-day", "100000")
            started = time.monotonic()
            while self._done < self.plan.requests:
                self._round(min(ROUND, self.plan.requests - self._done))
            self.report.seconds = time.monotonic() - started
            self._settled()
            self.report.counters_off_nano = self._counter() - self._sum()
        self._compare()
        return self.report

    def asked(self) -> None:
        """By the clients, after each request: time for a fault, or a kill."""
        with self._lock:
            self._done += 1
            done, plan = self._done, self.plan
        if done % plan.fault_every == 0:
            name, options = FAULTS[done // plan.fault_every % len(FAULTS)]
            self.upstreams.faults(self._rng.choice(["claude", "openai"]), name, times=1, **options)
            self.report.faults += 1
        if plan.kills and done % max(1, plan.requests // plan.kills) == plan.requests // (
            2 * plan.kills
        ):
            processes = self.hub.admin("GET", "/status").json["processes"]
            pids = [one["pid"] for one in processes if one["role"] == "worker"]
            if pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._rng.choice(pids), signal.SIGKILL)
                    self.report.kills += 1

    def _round(self, count: int) -> None:
        plan = self.plan
        share = [count // plan.clients + (n < count % plan.clients) for n in range(plan.clients)]
        base = self._done
        clients = [Client(self, base + n, each) for n, each in enumerate(share)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(300)
        self.report.requests += count
        self.report.dropped += sum(client.dropped for client in clients)
        self._quiet()
        for name in ("claude", "openai"):
            for call in self.upstreams.log(name):
                call["kind"] = {"claude": "anthropic"}.get(name, name)
                self._calls.setdefault(_rid(call), []).append(call)
                self.report.calls += 1
            self.upstreams.clear(name)
            self.upstreams.clear_log(name)

    def _quiet(self) -> None:
        """Until no call is under way any more."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            logs = [call for name in ("claude", "openai") for call in self.upstreams.log(name)]
            if all(call["ended"] for call in logs):
                return
            time.sleep(0.1)
        raise TimeoutError("the simulators do not come to rest")

    def _settled(self) -> None:
        """Until all is recorded: lost streams, too, and nothing is reserved."""
        last, same = -1, 0
        end = time.monotonic() + 60
        while same < 8 and time.monotonic() < end:
            count = self._rows("SELECT count(*) FROM requests")[0][0]
            same = same + 1 if count == last else 0
            last = count
            time.sleep(0.4)

    def _rows(self, sql: str) -> list[Any]:
        path = self.hub.folder / "pihub.db"
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def _sum(self) -> int:
        return int(self._rows("SELECT coalesce(sum(cost_nano), 0) FROM requests")[0][0])

    def _counter(self) -> int:
        rows = self.hub.admin("GET", "/budgets").json["items"]
        return round(rows[0]["spent_today_usd"] * 1e9)

    def _compare(self) -> None:
        report, prices = self.report, builtin_prices()
        rows: dict[int, tuple[int, int]] = {}
        for rid, cost, flags in self._rows("SELECT rid, cost_nano, flags FROM requests"):
            if rid in rows:
                report.twice += 1
            rows[rid] = cost or 0, flags

        def nano(call: dict[str, Any], output: int) -> int:
            usage = Usage(input=call["input_tokens"], output=output)
            model = json.loads(call["body"])["model"]
            return prices.cost_or_none(call["kind"], model, usage) or 0

        for rid, calls in self._calls.items():
            if rid not in rows:
                report.missing += 1
                continue
            cost, flags = rows.pop(rid)
            if all(_whole(call) or not call["tokens"] for call in calls) and not flags & ESTIMATED:
                made = sum(nano(call, call["output_tokens"]) for call in calls if _whole(call))
                report.exact += 1
                report.exact_ledger_nano += cost
                report.exact_upstream_nano += made
                if cost != made:
                    self._wrong(f"{rid:x}: {cost} in the ledger, {made} made")
            else:
                report.cut += 1
                report.cut_ledger_nano += cost
                for call in calls:
                    if call["status"] == 200 or call["aborted"]:
                        whole = _whole(call)
                        sent = call["output_tokens"] if whole else call["tokens"]
                        report.cut_upstream_nano += nano(call, sent)
                if not flags & ESTIMATED:
                    kinds = [(c["fault"], c["status"], c["tokens"], c["aborted"]) for c in calls]
                    self._wrong(f"{rid:x}: cut, but not marked as an estimate: {kinds}")
        for rid, (cost, flags) in rows.items():
            if cost > 0 and flags & ESTIMATED:
                report.unsent += 1
                report.unsent_nano += cost
            elif cost > 0:
                self._wrong(f"{rid:x}: {cost} in the ledger without any call")

    def _wrong(self, text: str) -> None:
        if len(self.report.wrong) < 20:
            self.report.wrong.append(text)


def _whole(call: dict[str, Any]) -> bool:
    """All of the answer was sent, as far as the simulator knows."""
    whole = call["finished"] and call["status"] == 200 and not call["aborted"]
    streams = '"stream":true' in call["body"].replace(" ", "")
    return bool(whole and call["fault"] != "F12" and (streams or call["fault"] != "F11"))


def _rid(call: dict[str, Any]) -> int:
    """The hub's request id, as SQLite has it; 0 if there is none."""
    for name, value in call["headers"]:
        if name == "traceparent":
            rid = int(value.split("-")[2], 16)
            return rid - (1 << 64) if rid & SIGN else rid
    return 0
