"""What is learnt of the cache from records: for whom, how hot, what another size would do."""

from __future__ import annotations

import pytest

from pihub.domain.whynot import BY_WORD, WhyNot, api_reason
from pihub.insight import cache_study
from pihub.insight.cache_desk import CacheDesk
from pihub.insight.cache_study import OTHERS, TENANTS, CacheStudy
from pihub.shared.answers import AnswerCache, Stored, Wire, group
from pihub.shared.events import CacheState, Record
from pihub.shared.metrics import Foretold, Route, why_column
from pihub.shared.state import SharedState
from tests.shared.test_answers import STORED

SECOND = 10**9
HIT, MISS = int(CacheState.HIT), int(CacheState.MISS)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def miss(look: int, size: int, *, at: int = 1, cost: int = 5000, **more: int) -> bytes:
    return Record(
        ts_ns=at * SECOND, look=look, kept=size, kept_ttl=600, cost_nano=cost, dur_us=2_000_000,
        cache=MISS, **{"tenant": 1, "route": 1, "bytes_out": 100, "status": 200, **more},
    ).pack()  # fmt: skip


def hit(look: int, *, at: int = 2, **more: int) -> bytes:
    return Record(
        ts_ns=at * SECOND, look=look, saved_nano=5000, cache=HIT, status=200, dur_us=100,
        **{"tenant": 1, "route": 1, "bytes_out": 100, **more},
    ).pack()  # fmt: skip


def test_money_time_and_fills_are_of_whom_they_are(state: SharedState) -> None:
    study = CacheStudy(state)
    bypass = Record(cache=int(CacheState.BYPASS), tenant=2, route=int(Route.API)).pack()
    nothing = Record(tenant=9, route=int(Route.HEALTH)).pack()
    # In any order: the look-ups of several workers are sorted by time.
    study.stored([hit(7), hit(7, at=3), miss(7, 4000), bypass, nothing])
    one = study.by_tenant()[1]
    assert (one.hits, one.misses, one.fills, one.filled_bytes) == (2, 1, 1, 4000)
    assert one.saved_nano == 10_000
    assert one.saved_us == 2 * (2_000_000 - 100), "what the answer took to make, each time"
    assert study.by_tenant()[2].bypasses == 1
    assert set(study.by_tenant()) == {1, 2}, "a request that has no cache is nobody's"
    assert study.by_route()[1].hits == 2


def test_the_curve_knows_what_fits_at_which_size(state: SharedState) -> None:
    clock = Clock()
    study = CacheStudy(state, clock=clock)
    capacity = state.cache.stats()["capacity"]
    size = capacity // 8
    # Twelve keys in turn, each an eighth of the cache: only a cache of one and a half holds them.
    records = [miss(1 + n % 12, size, at=1 + n) for n in range(48)]
    clock.now += 86400 / 2
    study.stored(records)
    quarter, half, same, double, four = study.curve().points
    assert [p.hit_ratio for p in (quarter, half, same)] == [0, 0, 0]
    assert [p.hit_ratio for p in (double, four)] == [0.75, 0.75], "the first round is cold"
    assert double.usd_a_day == pytest.approx(36 * 5000 / 1e9 * 2), "in half a day"
    assert double.seconds_a_day == pytest.approx(36 * 2 * 2)
    assert study.curve().measured == 0
    study.publish()
    told = state.foretold
    assert told.get(0, Foretold.DOUBLE_PPM) == 750_000
    assert told.get(0, Foretold.SAME_PPM) == 0
    assert told.get(0, Foretold.DOUBLE_NANO) == 36 * 5000 * 2
    assert told.get(0, Foretold.SAMPLE_PPM) == 1_000_000


def test_what_had_run_out_would_not_have_been_a_hit(state: SharedState) -> None:
    study = CacheStudy(state)
    study.stored([miss(1, 1000, at=1), miss(1, 1000, at=700), miss(1, 1000, at=800)])
    assert study.curve().points[-1].hit_ratio == pytest.approx(1 / 3)


def test_keys_that_were_there_before_the_study_began_count(state: SharedState) -> None:
    study = CacheStudy(state)
    study.stored([hit(1, at=n) for n in range(1, 5)])
    assert study.curve().points[2].hit_ratio == 0.75, "the first look-up of a key is cold to it"
    assert study.curve().measured == 1


def test_an_answer_that_is_not_kept_buys_nothing(state: SharedState) -> None:
    study = CacheStudy(state)
    study.stored([miss(1, 0, at=n) for n in range(1, 5)])
    study.stored([miss(2, 0, at=n, status=502) for n in range(1, 5)])
    assert study.curve().points[-1].hit_ratio == 0


def test_the_hot_list_is_bounded_and_finds_the_hot(
    state: SharedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_study, "HOT", 8)
    study = CacheStudy(state)
    alias = state.names.intern("assistant")
    for n in range(100):
        study.stored([hit(5, alias=alias), hit(6, tenant=2), miss(1000 + n, 10)])
    first, second, *rest = study.hot(10)
    assert {first.look, second.look} == {5, 6}
    assert len(rest) == 6
    assert (first.count, first.over, first.hits) == (100, 0, 100)
    assert all(one.count - one.over <= 1 for one in rest)
    assert [one.look for one in study.hot(10, tenant=2)] == [6]
    assert {one.alias for one in study.hot(2)} == {alias, 0}


def test_tenants_beyond_the_bound_are_counted_together(state: SharedState) -> None:
    study = CacheStudy(state)
    study.stored([hit(1, tenant=n) for n in range(1, TENANTS + 21)])
    found = study.by_tenant()
    assert len(found) == TENANTS + 1
    assert found[OTHERS].hits == 20


def test_the_past_fades(state: SharedState) -> None:
    clock = Clock()
    study = CacheStudy(state, clock=clock)
    study.stored([miss(1, 1000), hit(1), hit(1)])
    clock.now += cache_study.HALF_LIFE
    study.stored([])
    assert study.curve().looks == pytest.approx(1.5)
    assert study.hot(1)[0].count == pytest.approx(1.5)
    assert study.curve().points[2].hit_ratio == pytest.approx(2 / 3), "shares stay"


def test_a_key_a_name_and_a_tenant_are_purged(state: SharedState) -> None:
    answers = AnswerCache(state.cache, state.arena.secret, 1)
    desk = CacheDesk(state, CacheStudy(state))
    tag = state.names.intern("assistant")
    wire = Wire("application/json", [], b"{}", 0, 0, tag, False, 0, 0, 0, look=7 << 50)
    for key, tenant in (((7 << 50, 1), 1), ((9 << 50, 2), 1), ((7 << 50, 1), 2)):
        assert answers.put(key, tenant, stored(), 60, tag=tag)
    assert answers.put_wire((123 << 40, 9), 1, wire, 60)
    assert desk.by_tag()["assistant"].entries == 4
    assert desk.purge_key(7 << 50, 1) == 2, "the kept answer and its rendered form"
    assert answers.get((7 << 50, 1), 1) is None
    assert answers.get((9 << 50, 2), 1) == stored()
    assert answers.get((7 << 50, 1), 2) == stored(), "another tenant's stays"
    desk.purge_tenant(2)
    assert set(desk.by_tenant()) == {1}
    assert desk.purge_tag("nobody") is False
    assert desk.purge_tag("assistant") is True
    assert desk.by_tenant() == {}
    assert answers.put((7 << 50, 1), 1, stored(), 60)
    desk.purge_all()
    assert answers.get((7 << 50, 1), 1) is None


def stored() -> Stored:
    return STORED


def test_reasons_are_listed_the_most_frequent_first(state: SharedState) -> None:
    state.routes.add(1, why_column(Route.API, WhyNot.METHOD), 2)
    state.routes.add(2, why_column(Route.API, WhyNot.METHOD), 3)
    state.routes.add(1, why_column(Route.OPENAI_CHAT, WhyNot.EMPTY), 9)
    desk = CacheDesk(state, CacheStudy(state))
    assert desk.unkept() == [
        (Route.OPENAI_CHAT, WhyNot.EMPTY, 9), (Route.API, WhyNot.METHOD, 5),
    ]  # fmt: skip
    assert [WhyNot.METHOD.asked, WhyNot.EMPTY.asked] == [False, True]


def test_a_group_is_never_nothing() -> None:
    assert group(0) == 1
    assert 0 < group(0xFFFF_0000_FFFF_0000) < 1 << 16


@pytest.mark.parametrize(
    ("state_word", "reason", "why"),
    [
        ("BYPASS", "no-store", WhyNot.CLIENT_NO_STORE),
        ("MISS", "no-store", WhyNot.UPSTREAM_NO_STORE),
        ("MISS", "status 418", WhyNot.UPSTREAM_STATUS),
        ("STALE", "status 503", WhyNot.NONE),
        ("BYPASS", "range", WhyNot.CONDITION),
        ("BYPASS", "off", WhyNot.SWITCHED_OFF),
        ("MISS", "vary *", WhyNot.UPSTREAM_HEADERS),
        ("MISS", "stored", WhyNot.NONE),
        ("HIT", "fresh", WhyNot.NONE),
    ],
)
def test_why_an_api_s_answer_was_not_kept(state_word: str, reason: str, why: WhyNot) -> None:
    assert api_reason(state_word, reason) is why


def test_every_reason_has_a_word_and_a_place_among_the_columns() -> None:
    assert WhyNot.UPSTREAM_NO_STORE.word == "upstream-no-store"
    assert max(WhyNot) < 28, "columns of a route (shared/metrics.py)"
    assert set(BY_WORD.values()) <= set(WhyNot)
