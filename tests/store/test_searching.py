"""A search finds what a plain look at every row finds, page by page, both ways."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from pihub.shared.events import CacheState, Record
from pihub.store import searching
from pihub.store.metrics import MetricsStore
from pihub.store.reports import StoredReports
from pihub.store.rows import RequestRow, Wanted

NAMES = ("", "llama", "haiku", "ollama", "claude", "assistant", "upstream_timeout")
START = 1_700_000_000
COUNT = 3000


class Names:
    def lookup(self, index: int) -> str:
        return NAMES[index]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MetricsStore]:
    made = MetricsStore(tmp_path_factory.mktemp("rows") / "pihub.db")
    dice = random.Random(4)
    rows = []
    for number in range(COUNT):
        local = dice.random() < 0.7
        failed = dice.random() < 0.05
        rows.append(
            Record(
                # A request is recorded at its end, so starts are a little out of order.
                ts_ns=int((START + number * 60 - dice.random() * 500) * 1e9), rid=number + 1,
                key=dice.randrange(4), tenant=1 + dice.randrange(2), route=1 + dice.randrange(3),
                status=504 if failed else 200, model=1 if local else 2,
                upstream=3 if local else 4, alias=5, error=6 if failed else 0,
                cache=dice.choice((CacheState.HIT, CacheState.MISS)), dur_us=dice.randrange(9000),
                flags=dice.randrange(8), reason=dice.randrange(20),
                cost_nano=dice.choice((-1, 0, 5)), saved_nano=dice.choice((-1, 0, 7)),
            ).pack()
        )  # fmt: skip
    made.commit(1, {0: COUNT}, 0, rows, Names())
    yield made
    made.close()


SEARCHES = {
    "all": (Wanted(), lambda r: True),
    "model": (Wanted(model="haiku"), lambda r: r.model == "haiku"),
    "alias": (Wanted(model="assistant"), lambda r: True),
    "nobody": (Wanted(model="no such model"), lambda r: False),
    "upstream": (Wanted(upstream="claude", key=2), lambda r: r.upstream == "claude" and r.key == 2),
    "failed": (Wanted(status_from=500, status_to=599), lambda r: r.status >= 500),
    "error": (Wanted(error="upstream_timeout"), lambda r: r.error == "upstream_timeout"),
    "hits": (Wanted(cache=1, route=2), lambda r: r.cache == 1 and r.route == 2),
    "hour": (
        Wanted(since=START + 30_000, until=START + 33_600),
        lambda r: START + 30_000 <= r.ts_ns / 1e9 < START + 33_600,
    ),
    "part": (Wanted(part="LAM"), lambda r: r.model == "llama" or r.upstream == "ollama"),
    "part of both": (Wanted(part="de/HAI"), lambda r: r.model == "haiku"),
    "part of an upstream": (Wanted(part="claude/"), lambda r: r.upstream == "claude"),
    "part of nothing": (Wanted(part="a/b%_"), lambda r: False),
    "flags": (Wanted(flags=5), lambda r: r.flags & 5 == 5),
    "caches": (Wanted(caches=(1, 4)), lambda r: r.cache in (1, 4)),
    "reasons": (Wanted(reasons=(2, 9)), lambda r: 2 <= r.reason <= 9),
    "paid": (Wanted(paid=True), lambda r: (r.cost_nano or 0) > 0),
    "saved and slow": (
        Wanted(saved=True, slower_us=5000), lambda r: (r.saved_nano or 0) > 0 and r.dur_us >= 5000
    ),
    "later": (Wanted(since=START + 10**9), lambda r: False),
    "earlier": (Wanted(until=START - 10**6), lambda r: False),
}


@pytest.mark.parametrize("scan", [97, 20_000])
@pytest.mark.parametrize("upward", [False, True])
@pytest.mark.parametrize("name", SEARCHES)
def test_page_by_page_it_is_what_a_look_at_every_row_finds(
    store: MetricsStore, name: str, upward: bool, scan: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "SCAN", scan)
    wanted, fits = SEARCHES[name]
    every = [row for row in store.recent(COUNT + 1) if fits(row)]
    found: list[RequestRow] = []
    edge = None
    for _ in range(COUNT):
        hits = store.search(wanted, 40, edge=edge, upward=upward)
        assert len(hits.rows) <= 40
        found += hits.rows
        edge = hits.edge
        if edge is None:
            break
    assert found == (every[::-1] if upward else every)


def test_a_tenant_finds_its_own_only(store: MetricsStore) -> None:
    one = StoredReports(store.database, 2)
    hits = one.search(Wanted(status_from=500, status_to=599), 1000)
    assert hits.rows and {row.tenant for row in hits.rows} == {2}
    assert hits.rows == [r for r in store.recent(COUNT) if r.tenant == 2 and r.status >= 500]


def test_an_empty_table_has_nothing(tmp_path: Path) -> None:
    made = MetricsStore(tmp_path / "pihub.db")
    assert made.search(Wanted(), 10) == ([], None)
    made.close()
