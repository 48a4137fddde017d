"""Is it well, and what does the page say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pihub.dashboard.verdict import alerts, overall, standing
from pihub.dashboard.view import ROWS, row, upstream, view
from pihub.ops.alerts import AlertService
from pihub.ops.signals import Signal
from pihub.settings.alerts import AlertRule
from pihub.store.alerts import AlertRows
from pihub.store.keys import KeyDatabase

Picture = dict[str, Any]


def request(**changes: Any) -> dict[str, Any]:
    """A recorded request, as insight.live tells it."""
    return {
        "id": 1,
        "at": 1_700_000_000.0,
        "request_id": "00000000000000aa",
        "route": "openai_chat",
        "status": 200,
        "model": "assistant",
        "served_by": "ollama/llama3.2:3b",
        "cache": "miss",
        "reason": "first-choice",
        "error": "",
        "attempts": 1,
        "tenant": 1,
        "key": 1,
        "stream": False,
        "client_gone": False,
        "simulated": False,
        "estimated": False,
        "duration_ms": 84.2,
        "first_token_ms": None,
        "tokens": {"input": 3, "output": 4, "cache_read": 0, "cache_write": 0},
        "cost_usd": 0.0042,
        "saved_usd": 0.0,
        **changes,
    }


def test_a_fresh_hub_is_well(picture: Picture) -> None:
    assert alerts(picture) == []
    found = view(picture)
    assert (found["tone"], found["texts"]["headline"]) == ("well", "All is well")


def test_one_open_breaker_is_worth_a_look_all_are_not_well(picture: Picture) -> None:
    ollama, claude = picture["upstreams"]
    ollama["state"] = "open"
    found = alerts(picture)
    assert overall(found) == "look" and "ollama" in found[0]["text"]
    claude["state"] = "open"
    found = alerts(picture)
    assert overall(found) == "down" and "No upstream" in found[0]["text"]
    claude["state"] = "half-open"
    assert overall(alerts(picture)) == "look"


def test_a_generic_api_that_fails_does_not_make_the_models_fail(picture: Picture) -> None:
    one = {**picture["upstreams"][0], "name": "shop", "kind": "api", "state": "open"}
    picture["upstreams"].append(one)
    assert overall(alerts(picture)) == "look"


@pytest.mark.parametrize(("age", "tone"), [(1_900, "well"), (7_000, "look"), (21_000, "down")])
def test_a_silent_process_is_seen(picture: Picture, age: int, tone: str) -> None:
    picture["processes"][1]["beat_age_ms"] = age
    assert overall(alerts(picture)) == tone
    assert view(picture)["processes"][1]["tone"] == tone


def test_no_worker_at_all_is_not_well(picture: Picture) -> None:
    picture["processes"] = picture["processes"][:1]
    assert overall(alerts(picture)) == "down"


def test_the_worst_comes_first(picture: Picture) -> None:
    picture["now"]["errors_per_min"] = 3.0
    picture["processes"][1]["beat_age_ms"] = 30_000
    found = alerts(picture)
    assert [one["tone"] for one in found] == ["down", "down", "look"]
    assert "3 requests failed" in found[-1]["text"]
    assert view(picture)["texts"]["errors_tone"] == "look"


def test_lost_records_and_a_refusing_database_are_told(picture: Picture) -> None:
    picture["totals"]["events_lost"] = 12
    picture["totals"]["store_failures"] = 2
    picture["recorder"]["last_error"] = "disk is full"
    texts = " ".join(one["text"] for one in alerts(picture))
    assert "12 request records dropped" in texts
    assert "refused 2 writes" in texts and "disk is full" in texts


def test_a_database_that_took_all_in_the_end_is_only_mentioned(picture: Picture) -> None:
    picture["totals"]["store_failures"] = 2
    found = alerts(picture)
    assert len(found) == 1 and "all is stored now" in found[0]["text"]
    assert overall(found) == "well"


def test_what_is_open_is_told_until_somebody_cares_for_it(
    picture: Picture, tmp_path: Path
) -> None:
    keys = KeyDatabase(tmp_path / "control.db")
    rules = {
        "disk": AlertRule(measure="disk_days", below=7, severity="warning"),
        "spent": AlertRule(measure="budget_hard", above=100, severity="critical"),
        "price": AlertRule(measure="unknown_price", above=1, severity="note"),
        "breaker": AlertRule(measure="breaker_open", above=1, severity="warning"),
    }
    service = AlertService(rules, AlertRows(keys.database), lambda _: True, repeat=0, keep_days=1)

    def look() -> list[tuple[str, str]]:
        service.turn({
            "disk_days": {"box": Signal(3, "The disk is full in 3 days.")},
            "budget_hard": {"kids": Signal(100, "Budget kids is spent.")},
            "unknown_price": {"x": Signal(1, "A model has no price.")},
            "breaker_open": {"ollama": Signal(1, "The breaker of ollama is open.")},
        })  # fmt: skip
        return [(one["tone"], one["text"]) for one in alerts(picture, standing(service))]

    disk, spent = ("look", "The disk is full in 3 days."), ("down", "Budget kids is spent.")
    note = ("idle", "A model has no price.")
    assert look() == [spent, disk, note], "the breaker is told by the picture itself"
    assert view(picture, standing(service))["texts"]["headline"] == "Not well"
    (number,) = (one.row.id for one in service.open() if one.row.rule == "spent")
    service.acknowledge(number, "olga")
    assert look() == [disk, note]
    service.silence("disk", "", 3600, "olga", "a new one is on its way")
    assert look() == [note]
    assert overall(alerts(picture, standing(service))) == "well"
    keys.close()


def test_money_that_is_not_known_is_no_zero(picture: Picture) -> None:
    picture["money"] = {"today": None, "simulated_today": None}
    found = view(picture)
    assert found["texts"]["spend"] == "–" and found["texts"]["saved"] == "–"
    assert found["tone"] == "look"


def money(cost: float, saved: float, unpriced: int = 0) -> dict[str, Any]:
    return {"cost_usd": cost, "saved_usd": saved, "unpriced_requests": unpriced}


def test_simulated_money_is_labelled(picture: Picture) -> None:
    picture["money"] = {"today": money(0, 0), "simulated_today": money(0.5, 0.25)}
    texts = view(picture)["texts"]
    assert (texts["spend"], texts["money_tag"]) == ("$0.500", "simulated")
    assert texts["simulated"] == "ollama and claude are simulated"


def test_real_money_stands_before_simulated_money(picture: Picture) -> None:
    picture["upstreams"][1]["simulated"] = False
    picture["money"] = {"today": money(1.5, 2.5), "simulated_today": money(0.5, 0.25)}
    texts = view(picture)["texts"]
    assert (texts["spend"], texts["money_tag"]) == ("$1.50", "")
    assert texts["spend_sub"] == "and $0.500 simulated"
    assert texts["simulated"] == "ollama is simulated"
    picture["money"]["today"] = money(1.5, 2.5, 3)
    assert view(picture)["texts"]["spend_sub"] == "and 3 requests of unknown price"


def test_no_banner_where_nothing_is_simulated(picture: Picture) -> None:
    for one in picture["upstreams"]:
        one["simulated"] = False
    assert view(picture)["texts"]["simulated"] == ""


def test_an_upstream_s_word_follows_its_breaker(picture: Picture) -> None:
    one = {**picture["upstreams"][0], "ok": 5, "success_rate": 1.0}
    assert upstream(one)["word"] == "healthy"
    assert upstream({**one, "failed": 2, "success_rate": 0.7143})["success"] == "71.4 % succeed"
    assert upstream({**one, "failed": 2})["tone"] == "look"
    assert upstream({**one, "state": "open"})["tone"] == "down"
    assert upstream({**one, "ok": 0})["tone"] == "idle"


def test_a_request_s_row() -> None:
    found = row(request(status=502, error="upstream_timeout", stream=True, client_gone=True))
    assert found["tone"] == "down"
    assert (found["reason"], found["stream"], found["gone"]) == (
        "upstream timeout",
        "stream",
        "client left",
    )
    assert row(request(status=404))["tone"] == "look"
    assert row(request(cost_usd=None))["cost"] == "–"
    assert row(request(model="", served_by=""))["model"] == "openai chat"


def test_only_the_newest_rows_are_carried(picture: Picture) -> None:
    picture["requests"] = [request(id=n) for n in range(50, 0, -1)]
    assert [one["id"] for one in view(picture)["requests"]] == list(range(50, 50 - ROWS, -1))
