"""The lane changes nothing but the time: two hubs, one without it, asked the same.

Compared are the answers' bytes and headers, what the upstream saw, the records in the
database, and the counters.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pihub._core.arena import Arena
from pihub.shared.machine import CONTROL, Gauge, MachineState
from tests.server.driver import eventually
from tests.system.hub import HubProcess, Reply, Upstreams
from tests.system.lane_upstream import PLAIN, answer
from tests.upstream.raw_server import RawServer

EXTRA = """
[gateway]
lane = {lane}

[upstreams.oa]
kind = "openai"
url = "{url}/oa"
api_key_env = "LANE_KEY"
[upstreams.oa.timers]
headers = 1.0
total = 4.0
[upstreams.oa.breaker]
failures = 100000
[upstreams.ob]
kind = "openai"
url = "{url}/ob/v1"
simulated = true
[upstreams.ob.timers]
headers = 3.0
[upstreams.ob.breaker]
failures = 100000
[upstreams.an]
kind = "anthropic"
url = "{url}/an"
[upstreams.an.breaker]
failures = 100000
[upstreams.frail]
kind = "openai"
url = "{url}/frail"
[upstreams.frail.breaker]
failures = 2
window = 60.0
open = 60.0
[upstreams.again]
kind = "openai"
url = "{url}/again"
retries = 1
[upstreams.again.breaker]
failures = 100000

[models.plain]
chain = ["oa/m1"]
[models.pair]
chain = ["oa/m1", "ob/gpt-4o-mini"]
[models.priced]
chain = ["ob/gpt-4o-mini"]
[models.messages]
chain = ["an/claude-haiku-4-5"]
[models.frail]
chain = ["frail/m1"]
[models.again]
chain = ["again/m1"]
"""
CHAT, MESSAGES, OLLAMA = "/v1/chat/completions", "/v1/messages", "/api/chat"


@dataclass
class Side:
    """A hub and the upstream of its own."""

    hub: HubProcess
    upstream: RawServer

    def ask(self, path: str, body: Any, **headers: str) -> Reply:
        return self.hub.post(path, body, **headers)

    def metrics(self) -> dict[str, float]:
        text = self.hub.get("/metrics").text
        lines = [line.rpartition(" ") for line in text.splitlines() if line[:1] != "#"]
        return {name: float(value) for name, _, value in lines}

    def passed(self) -> int:
        return int(self.metrics()["pihub_lane_total"])

    def rows(self, count: int) -> list[dict[str, Any]]:
        """The last `count` records of chats, once all of them are stored."""
        chats = re.compile(r'pihub_requests_total\{.*route="[a-z]+_(chat|messages)"')
        wanted = sum(value for name, value in self.metrics().items() if chats.match(name))
        end = time.monotonic() + 20
        while True:
            with closing(sqlite3.connect(self.hub.folder / "pihub.db")) as base:
                base.row_factory = sqlite3.Row
                found = base.execute(
                    "SELECT * FROM requests WHERE route IN (1, 2, 3) ORDER BY id"
                ).fetchall()
                # Afterwards: a record is committed together with the names that it uses.
                names = dict(base.execute("SELECT id, name FROM names").fetchall())
            assert time.monotonic() < end, (len(found), wanted)
            if len(found) == wanted:
                rows = [dict(row) for row in found[-count:]]
                for row in rows:
                    for field in ("model", "upstream", "alias", "error"):
                        row[field] = names.get(row[field], row[field])
                return rows
            time.sleep(0.05)


@pytest.fixture(scope="module")
def sides(
    engine: str, upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Side, Side]]:
    """(with the lane, without it)"""
    with ExitStack() as stack:
        made = []
        for lane in ("true", "false"):
            server = RawServer(answer)
            stack.callback(server.close)
            folder: Path = tmp_path_factory.mktemp(f"lane-{engine}-{lane}")
            extra = EXTRA.format(lane=lane, url=server.url)
            hub = HubProcess(
                folder, upstreams, engine=engine, workers=1, extra=extra,
                env={"LANE_KEY": "sk-upstream"},
            )  # fmt: skip
            made.append(Side(stack.enter_context(hub), server))
        yield made[0], made[1]
        assert not made[0].upstream.failures and not made[1].upstream.failures


def asking(said: str, model: str = "plain", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": said}], **more}


def spelt(said: str, old: str, new: str) -> bytes:
    text = json.dumps(asking(said))
    assert old in text
    return text.replace(old, new).encode()


CLOSING = (
    "close", "http-1.0", "until-close", "stale", "cut", "cut-head", "cut-body", "reset",
    "reset-body", "slow", "split", "late",
)  # fmt: skip
V = {"anthropic_version": "2023-06-01"}
Question = tuple[str, Any, dict[str, str]]
QUESTIONS: dict[str, Question] = {
    **{said: (CHAT, asking(said), {}) for said in (*PLAIN, *CLOSING)},
    **{f"pair-{said}": (CHAT, asking(said, "pair"), {})
       for said in ("ok", "500", "cut", "reset", "garbage", "html", "400", "chunked")},
    **{f"again-{said}": (CHAT, asking(said, "again"), {}) for said in ("ok", "500", "cut")},
    **{f"messages-{said}": (MESSAGES, asking(said, "messages", max_tokens=9), V)
       for said in ("ok", "no-usage", "null-usage", "odd-usage", "html", "500", "400", "cut-body")},
    "priced": (CHAT, asking("ok", "priced"), {}),
    "priced-no-usage": (CHAT, asking("no-usage", "priced"), {}),
    "hot": (CHAT, asking("ok", temperature=0.7), {}),
    "kept": (CHAT, asking("ok kept", temperature=0), {}),
    "kept-hit": (CHAT, asking("ok kept", temperature=0), {}),
    "wish-off": (CHAT, asking("ok", temperature=0), {"x_pihub_cache": "off"}),
    "wish-bad": (CHAT, asking("ok"), {"x_pihub_cache": "sometimes"}),
    "stream": (CHAT, asking("stream", stream=True), {}),
    "stream-false": (CHAT, asking("ok", stream=False), {}),
    "stream-null": (CHAT, asking("ok", stream=None), {}),
    "stream-options": (CHAT, asking("ok", stream_options={"include_usage": True}), {}),
    "full-name": (CHAT, asking("ok", "oa/m1"), {}),
    "bare-name": (CHAT, asking("ok", "m1"), {}),
    "latest": (CHAT, asking("ok", "plain:latest"), {}),
    "unknown": (CHAT, asking("ok", "nobody"), {}),
    "escaped-name": (CHAT, spelt("ok", '"plain"', '"pl\\u0061in"'), {}),
    "two-models": (CHAT, spelt("ok", '"model"', '"model": "x", "model"'), {}),
    "other-case": (CHAT, spelt("ok", '"model"', '"Model": "x", "model"'), {}),
    "spaces": (CHAT, spelt("ok", '"model"', ' \n\t"model"'), {}),
    "unicode": (CHAT, spelt("ok", "ok", "ok \u00e4\u20ac\U0001f600"), {}),
    "surrogate": (CHAT, spelt("ok", "ok", "ok \\ud83d"), {}),
    "no-json": (CHAT, b'{"model":"plain"', {}),
    "no-body": (CHAT, b"", {}),
    "large": (CHAT, asking("ok " + "x" * 100_000), {}),
    "largish": (CHAT, asking("ok " + "x" * 60_000), {}),
    "extras": (CHAT, asking("ok", foo={"bar": [1, None, True]}, seed=1, max_tokens=1), {}),
    "other-version": (
        MESSAGES, asking("ok", "messages", max_tokens=9), {"anthropic_version": "2024-01-01"}
    ),
    "no-version": (MESSAGES, asking("ok", "messages", max_tokens=9), {}),
    "beta": (MESSAGES, asking("ok", "messages", max_tokens=9), {**V, "anthropic_beta": "b-1"}),
    "crossed": (MESSAGES, asking("ok", "plain", max_tokens=9), V),
    "crossed-back": (CHAT, asking("ok", "messages", max_tokens=9), {}),
    "ollama": (OLLAMA, asking("stream"), {}),
    "no-key": (CHAT, asking("ok"), {"authorization": ""}),
    "x-api-key": (CHAT, asking("ok"), {"authorization": "", "x_api_key": "KEY"}),
}  # fmt: skip
TAKEN = {
    "ok", "no-usage", "null-usage", "length", "no-stop", "tools", "slow", "stale", "pair-ok",
    "again-ok", "messages-ok", "messages-no-usage", "messages-odd-usage", "messages-null-usage",
    "priced", "priced-no-usage", "hot", "stream-false", "full-name", "bare-name", "spaces",
    "unicode",
    "largish", "extras", "no-version", "x-api-key",
}  # fmt: skip
"""Those that the lane must answer by itself, given an idle connection."""
UNCOMPARED = {
    "id", "ts", "rid", "worker", "dur_us", "ttft_us", "inspect_us", "lookup_us", "route_us",
    "call_us", "render_us", "key", "queued", "dialed",
}  # fmt: skip
ONCE = (rb"chatcmpl-[A-Za-z0-9]+", rb'"created":\d+', rb'"created_at":"[^"]+"', rb'_duration":\d+')


COUNTED = re.compile(
    r"pihub_(cache_results|cost|saved|tokens|fallbacks|unpriced|received|sent|upstream)\w*_total"
    r'|pihub_requests_total\{.*route="[a-z]+_(chat|messages)"'
    r"|pihub_(stage_duration|first_token|upstream_first_byte)_seconds_count"
)


def shown(reply: Reply) -> tuple[int, list[tuple[str, str]], bytes]:
    """What must be equal: all but the request's id, and what the hub mints itself."""
    rid = reply.headers.get("x-pihub-request-id", "")
    headers = [
        (name, value.replace(rid, "RID") if rid else value)
        for name, value in reply.headers.items()
        if name != "date"
    ]
    body = reply.body.replace(rid.encode(), b"RID") if rid else reply.body
    for pattern in ONCE:
        body = re.sub(pattern, b"MADE", body)
    return reply.status, headers, body


def seen(side: Side, since: int) -> list[tuple[bytes, bytes]]:
    port = str(side.upstream.port).encode()
    return [(head.replace(port, b"PORT"), body) for head, body in side.upstream.requests[since:]]


def one(side: Side, question: Question) -> tuple[Any, Any, int]:
    """Warm a connection up, ask; (answer, what the upstream saw, taken by the lane)"""
    warm = side.ask(CHAT, asking("ok", "priced"))
    assert warm.status == 200
    since, taken = len(side.upstream.requests), side.passed()
    path, body, headers = question
    headers = {name: side.hub.key if value == "KEY" else value for name, value in headers.items()}
    reply = side.ask(path, body, **headers)
    return shown(reply), seen(side, since), side.passed() - taken


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_is_the_same_with_the_lane_and_without(
    sides: tuple[Side, Side], name: str
) -> None:
    with ThreadPoolExecutor(2) as pool:  # both at once: half the waiting
        got, want = pool.map(one, sides, [QUESTIONS[name]] * 2)
    assert got[0] == want[0]
    assert got[1] == want[1]
    assert (got[2] > 0) == (name in TAKEN), "who answered"
    assert want[2] == 0


def test_there_are_many_questions() -> None:
    assert len(QUESTIONS) >= 40 and set(QUESTIONS) >= TAKEN


def test_records_and_counters_are_the_same(sides: tuple[Side, Side]) -> None:
    names = ["ok", "hot", "priced", "messages-ok", "no-usage", "500", "cut", "pair-500", "html",
             "chunked", "tools", "again-500", "reset-body", "length", "x-api-key"]  # fmt: skip
    results = []
    for side in sides:
        before = side.metrics()
        for name in names:
            one(side, QUESTIONS[name])
        after = side.metrics()
        rows = [
            {field: value for field, value in row.items() if field not in UNCOMPARED}
            for row in side.rows(2 * len(names))
        ]
        grown = {
            metric: round(value - before.get(metric, 0), 9)
            for metric, value in after.items()
            if COUNTED.match(metric)
        }
        results.append((rows, grown, after["pihub_requests_in_flight"]))
    assert results[0][0] == results[1][0]
    assert results[0][1] == results[1][1]
    assert results[0][2] == results[1][2] == 0
    assert any(row["cost_nano"] for row in results[0][0])
    assert any(value for name, value in results[0][1].items() if "stage" in name)


def test_a_breaker_opens_the_same(sides: tuple[Side, Side]) -> None:
    told = []
    for side in sides:
        ask = [side.ask(CHAT, asking(said, "frail")) for said in ("ok", "500", "500", "ok")]
        told.append([shown(reply) for reply in ask])
    assert told[0] == told[1]
    assert [status for status, _, _ in told[0]] == [200, 502, 502, 503]


def test_a_client_that_leaves_ends_its_call(sides: tuple[Side, Side]) -> None:
    rows = []
    for side in sides:
        assert side.ask(CHAT, asking("ok")).status == 200
        before = side.metrics()["pihub_clients_gone_total"]
        body = json.dumps(asking("late")).encode()
        wanted = len(side.upstream.requests) + 1
        with socket.create_connection(("127.0.0.1", side.hub.port)) as client:
            head = f"POST {CHAT} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {side.hub.key}\r\n"
            client.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            end = time.monotonic() + 10
            while len(side.upstream.requests) < wanted and time.monotonic() < end:
                time.sleep(0.01)
        while side.metrics()["pihub_clients_gone_total"] == before:
            assert time.monotonic() < end
            time.sleep(0.05)
        row = side.rows(1)[0]
        rows.append({field: value for field, value in row.items() if field not in UNCOMPARED})
    assert rows[0] == rows[1]
    assert rows[0]["status"] == 499


def test_each_of_twelve_clients_gets_its_own_answer(sides: tuple[Side, Side]) -> None:
    side = sides[0]
    before = side.passed()

    def client(number: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", side.hub.port, timeout=30)
        with closing(connection):
            for turn in range(10):
                text = f"echo {number}-{turn}-{'x' * (number * 97)}"
                connection.request(
                    "POST", CHAT, json.dumps(asking(text)),
                    {"authorization": f"Bearer {side.hub.key}"},
                )  # fmt: skip
                answer = json.loads(connection.getresponse().read())
                assert answer["choices"][0]["message"]["content"] == text
        return 10

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(client, range(12))) == 120
    assert side.passed() - before > 60


def test_a_machine_that_suffers_lets_fewer_in(sides: tuple[Side, Side]) -> None:
    """With and without the lane: one at a time while nearly nothing of the limit is left."""
    for side in sides:
        [file] = side.hub.folder.rglob("hub.json")
        info = json.loads(file.read_text())
        fd = os.open(f"/proc/{info['pid']}/fd/{info['arena_fd']}", os.O_RDWR)
        machine = MachineState(Arena.attach(fd))
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(side.ask, CHAT, asking("late", "priced"))
            eventually(lambda at=side: at.metrics()["pihub_requests_in_flight"] == 1, "it is held")
            passed = side.passed()
            for _ in range(2):  # the first leaves an idle connection, which a lane needs
                assert side.ask(CHAT, asking("ok")).status == 200
            assert (side.passed() > passed) == (side is sides[0])
            replies = []
            for _ in range(2):  # the watch writes its own share each five seconds: at most once
                machine.put(CONTROL, Gauge.SHARE, 1)
                replies.append(side.ask(CHAT, asking("ok")).text)
            assert not held.done()
            assert any("hot or short of power" in text for text in replies), replies
            machine.put(CONTROL, Gauge.SHARE, 1000)
            held.result()
        assert side.ask(CHAT, asking("ok")).status == 200
