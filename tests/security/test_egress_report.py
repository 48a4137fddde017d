"""What left in a day: only what was sent, by host; signed; kept once in the audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pihub.errors import BadRequest
from pihub.security.audit import AuditLog
from pihub.security.egress import ACTION, Egress, genuine, uncounted
from pihub.settings.otel import Otel
from pihub.settings.routing import Routing
from pihub.settings.schema import Settings, Upstream
from pihub.settings.webhooks import Subscriber
from pihub.shared.events import CacheState, Record
from pihub.store.audit import AuditStore
from pihub.store.keys import KeyDatabase
from pihub.store.metrics import MetricsStore

NOON = int(datetime(2026, 3, 5, 12, tzinfo=UTC).timestamp())
DAY = 86_400
SECRET = b"s" * 32
NAMES = ["", "ollama", "claude"]


class Names:
    def lookup(self, index: int) -> str:
        return NAMES[index]


class World:
    def __init__(self, folder: Path) -> None:
        self.store = MetricsStore(folder / "pihub.db")
        self.control = KeyDatabase(folder / "control.db")
        self.audit = AuditLog(AuditStore(self.control.database), b"a" * 32)
        self.now = float(NOON)
        settings = Settings(
            upstreams={
                "ollama": Upstream(kind="ollama", url="http://127.0.0.1:11434"),
                "claude": Upstream(kind="anthropic", url="https://api.anthropic.com"),
            },
            routing=Routing(key_policies=["3=local-only", "4=cloud-only"]),
        )
        self.egress = Egress(
            settings, self.store.database, self.audit, SECRET, lambda: self.now
        )
        self.cursor = 0

    def add(self, at: int, upstream: int, key: int = 1, cache: int = CacheState.MISS) -> None:
        self.cursor += 1
        record = Record(ts_ns=at * 10**9, upstream=upstream, key=key, tenant=1, cache=cache,
                        bytes_in=100, bytes_out=1000, status=200)  # fmt: skip
        self.store.commit(1, {1: self.cursor}, 0, [record.pack()], Names())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.store.close()
    found.control.close()


def test_what_was_sent_is_told_by_host(world: World) -> None:
    world.add(NOON - DAY, 2)
    for n in range(30):
        world.add(NOON - 100 + n, 1)
    world.add(NOON, 2)
    world.add(NOON, 2, cache=CacheState.HIT)
    world.add(NOON, 1, key=3)
    world.add(NOON, 0)
    found = world.egress.report()["report"]
    assert (found["day"], found["complete"]) == ("2026-03-05", False)
    claude, ollama = sorted(found["hosts"], key=lambda one: not one["outside"])
    assert (claude["host"], claude["outside"]) == ("api.anthropic.com", True)
    assert (claude["requests"], claude["bytes_sent"], claude["bytes_received"]) == (1, 100, 1000)
    assert (ollama["host"], ollama["requests"], ollama["local_only_requests"]) == (
        "127.0.0.1", 31, 1,
    )  # fmt: skip
    assert found["local_only_keys"] == [3]
    assert found["local_only_requests_outside"] == 0
    yesterday = world.egress.report("2026-03-04")["report"]
    assert (yesterday["complete"], len(yesterday["hosts"])) == (True, 1)


def test_where_else_something_goes_is_named() -> None:
    settings = Settings(
        subscribers={
            "crm": Subscriber(url="https://hooks.example.org/in", secret_env="X"),
            "home": Subscriber(url="http://192.168.1.5/in", secret_env="X"),
        },
        otel=Otel(endpoint="http://127.0.0.1:4318"),
    )
    assert uncounted(settings) == [
        {"host": "hooks.example.org", "outside": True, "what": "events to crm"},
        {"host": "192.168.1.5", "outside": False, "what": "events to home"},
        {"host": "127.0.0.1", "outside": False, "what": "telemetry"},
    ]
    assert uncounted(Settings()) == []


def test_a_local_only_key_that_got_out_would_be_seen(world: World) -> None:
    world.add(NOON, 2, key=3)
    assert world.egress.report()["report"]["local_only_requests_outside"] == 1


def test_a_changed_report_is_told(world: World) -> None:
    world.add(NOON, 2)
    signed = json.loads(json.dumps(world.egress.report()))
    assert genuine(SECRET, signed)
    assert not genuine(b"x" * 32, signed)
    signed["report"]["hosts"][0]["requests"] = 0
    assert not genuine(SECRET, signed)
    for junk in (None, [], {}, {"report": {}}, {"report": {}, "signature": "\ud800"}):
        assert not genuine(SECRET, junk)


def test_each_day_is_kept_once_in_the_audit_log(world: World) -> None:
    world.add(NOON - DAY, 2)
    for _ in range(3):
        world.egress.daily()
    Egress(Settings(), world.store.database, world.audit, SECRET, lambda: world.now).daily()
    rows = [row for row in world.audit.page(None, None, False, 9) if row.action == ACTION]
    assert [row.object for row in rows] == ["2026-03-04"]
    assert genuine(SECRET, json.loads(rows[0].after))
    world.now += DAY
    world.egress.daily()
    rows = [row for row in world.audit.page(None, None, False, 9) if row.action == ACTION]
    assert [row.object for row in rows] == ["2026-03-05", "2026-03-04"]
    assert world.audit.verify().broken == 0


@pytest.mark.parametrize("day", ["2026-03-06", "yesterday", "2026-13-01", "9999-99-99"])
def test_a_day_that_is_none_is_refused(world: World, day: str) -> None:
    with pytest.raises(BadRequest):
        world.egress.report(day)
