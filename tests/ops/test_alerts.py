"""Alerts on a real database: hysteresis, one at a time, told once, silenced, cared for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pihub.errors import BadRequest, NotFound
from pihub.ops.alerts import AGAIN, HOLD, AlertService, Word, breaks, over
from pihub.ops.signals import Signal
from pihub.settings.alerts import BUILT_IN, AlertRule, Alerts, merged
from pihub.store.alerts import AlertRow, AlertRows
from pihub.store.keys import KeyDatabase

HOT = {"hot": AlertRule(measure="temperature", above=80, clear=75, after=60, severity="warning")}


class House:
    """A service, its clock and what it said."""

    def __init__(self, rows: AlertRows, repeat: float = 3600.0) -> None:
        self.now = 1_000_000.0
        self.rows = rows
        self.repeat = repeat
        self.said: list[Word] = []
        self.deaf = False
        self.start()

    def start(self) -> None:
        self.alerts = AlertService(
            HOT, self.rows, self.hear, repeat=self.repeat, keep_days=1, clock=lambda: self.now
        )

    def hear(self, word: Word) -> bool:
        if not self.deaf:
            self.said.append(word)
        return not self.deaf

    def at(self, value: float, seconds: float = 5.0) -> None:
        self.now += seconds
        self.alerts.turn({"temperature": {"box": Signal(value, f"{value} degrees")}})

    def kinds(self) -> list[str]:
        return [word.kind.removeprefix("alert.") for word in self.said]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    keys = KeyDatabase(tmp_path / "control.db")
    yield House(AlertRows(keys.database))
    keys.close()


def opened(house: House) -> None:
    house.at(85)
    house.at(85, 60)


def test_it_opens_after_its_time_and_not_before(house: House) -> None:
    house.at(85)
    house.at(85, 59)
    assert house.alerts.open() == () and house.said == []
    house.at(79)
    house.at(85)
    house.at(85, 59)
    assert house.said == [], "one good look begins the time anew"
    house.at(85, 1)
    (view,) = house.alerts.open()
    assert (view.row.rule, view.row.subject, view.row.severity) == ("hot", "box", "warning")
    assert house.kinds() == ["opened"]


def test_between_the_bounds_it_stays_and_is_told_once(house: House) -> None:
    opened(house)
    for value in (81, 77, 84, 76, 79):
        house.at(value, 120)
    assert len(house.alerts.open()) == 1
    assert house.kinds() == ["opened"]
    house.at(75)
    house.at(76, 30)
    house.at(74, 30)
    house.at(74, 59)
    assert house.alerts.open(), "well for less than its time"
    house.at(74, 1)
    assert house.alerts.open() == ()
    assert house.kinds() == ["opened", "closed"]
    assert [view.row.closed > 0 for view in house.alerts.page(9)] == [True]


def test_an_open_alert_says_what_is_true_now_and_since_when(house: House) -> None:
    opened(house)
    (view,) = house.alerts.open()
    assert (view.row.text, view.changed) == ("85 degrees", 0)
    house.at(91)
    changed = int(house.now)
    house.at(91)
    for now in (*house.alerts.open(), *house.alerts.page(10), house.alerts.one(view.row.id)):
        assert (now.row.text, now.row.value, now.changed) == ("91 degrees", 91, changed)
    house.at(91, 3600)
    assert house.said[-1].kind == "alert.reminder" and house.said[-1].alert.value == 91
    house.at(70)
    house.at(70, 60)
    (view,) = house.alerts.page(10)
    assert (view.row.open, view.row.text) == (False, "91 degrees"), "not that it is well again"


def test_a_number_that_moves_is_not_written_each_time(house: House) -> None:
    opened(house)
    written: list[float] = []
    change = house.rows.change

    def counted(row: AlertRow) -> None:
        written.append(row.value)
        change(row)

    house.rows.change = counted  # type: ignore[method-assign]
    for n in range(100):
        house.at(85 + n % 7 / 10)
    assert 1 <= len(written) <= 3
    house.start()
    house.at(99)
    house.start()
    (row,) = house.rows.unsettled()
    assert row.value == 99, "what a new process finds is not the first number"


def test_a_restart_neither_opens_nor_tells_it_again(house: House) -> None:
    opened(house)
    house.start()
    opened(house)
    house.at(85, 120)
    assert house.kinds() == ["opened"]
    assert len(house.alerts.page(9)) == 1
    house.at(70)
    house.start()
    house.at(70, 30)
    house.at(70, 60)
    assert house.kinds() == ["opened", "closed"], "one that a former process opened ends too"


def test_one_that_comes_back_soon_is_the_same(house: House) -> None:
    opened(house)
    house.at(70)
    house.at(70, 60)
    opened(house)
    assert house.kinds() == ["opened", "closed"], "not again within ten minutes"
    (view,) = house.alerts.open()
    assert view.row.times == 2
    assert len(house.alerts.page(9)) == 1
    house.at(85, AGAIN)
    assert house.kinds() == ["opened", "closed", "opened"]
    house.at(70)
    house.at(70, 60)
    house.now += AGAIN + 1
    opened(house)
    assert len(house.alerts.page(9)) == 2, "later it is a new one"


def test_words_that_nobody_took_are_said_again_with_the_same_number(house: House) -> None:
    house.deaf = True
    opened(house)
    house.at(85)
    assert house.said == []
    house.deaf = False
    house.at(85)
    assert [(word.kind, word.number) for word in house.said] == [("alert.opened", 1)]
    house.at(70)
    house.at(70, 60)
    assert [word.number for word in house.said] == [1, 2]


def test_reminders_end_when_somebody_cares(house: House) -> None:
    opened(house)
    house.at(85, 3600)
    house.at(85, 3599)
    assert house.kinds() == ["opened", "reminder"]
    (view,) = house.alerts.open()
    assert house.alerts.acknowledge(view.row.id, "olga").row.acknowledged_by == "olga"
    assert house.alerts.acknowledge(view.row.id, "piet").row.acknowledged_by == "olga"
    house.at(85, 7200)
    assert house.kinds() == ["opened", "reminder"]
    with pytest.raises(NotFound):
        house.alerts.acknowledge(999, "olga")


def test_what_is_silenced_is_shown_and_not_told(house: House) -> None:
    silence = house.alerts.silence("hot", "box", 1000, "olga", "the fan is being changed")
    opened(house)
    assert [view.silenced for view in house.alerts.open()] == [True]
    assert house.said == []
    house.alerts.unsilence(silence.id)
    house.at(85)
    assert house.kinds() == ["opened"]
    with pytest.raises(NotFound):
        house.alerts.unsilence(silence.id)
    with pytest.raises(BadRequest):
        house.alerts.silence("hto", "", 60, "olga", "")
    house.alerts.silence("hot", "another box", 1000, "olga", "")
    house.at(70)
    house.at(70, 60)
    assert house.kinds() == ["opened", "closed"], "another subject's silence"


def test_a_silence_ends_by_itself(house: House) -> None:
    house.alerts.silence("hot", "", 600, "olga", "")
    opened(house)
    house.at(85, 530)
    assert house.said == []
    house.at(85, 10)
    assert house.kinds() == ["opened"]


def test_what_cannot_be_read_changes_nothing_and_what_is_gone_ends(house: House) -> None:
    opened(house)
    house.now += 500
    house.alerts.turn({})
    assert len(house.alerts.open()) == 1
    house.alerts.turn({"temperature": {}})
    assert house.alerts.open() == ()
    assert house.kinds() == ["opened", "closed"]


def test_a_subject_that_was_away_begins_anew(house: House) -> None:
    house.at(85)
    house.alerts.turn({"temperature": {}})
    house.now += 600
    house.at(85)
    assert house.said == [], "nobody knows how it was meanwhile"
    house.at(85, 60)
    assert house.kinds() == ["opened"]


def test_a_rule_that_is_gone_takes_its_alert_with_it(house: House) -> None:
    opened(house)
    later = AlertService(
        {}, house.rows, house.hear, repeat=0, keep_days=1, clock=lambda: house.now + 5
    )
    later.turn({"temperature": {"box": Signal(99, "")}})
    assert later.open() == ()
    assert house.kinds() == ["opened", "closed"]


def test_pages_go_both_ways_and_old_ones_are_forgotten(house: House) -> None:
    for _ in range(4):
        opened(house)
        house.at(70)
        house.at(70, 60)
        house.now += AGAIN + 1
    newest = [view.row.id for view in house.alerts.page(9)]
    assert newest == sorted(newest, reverse=True) and len(newest) == 4
    assert [v.row.id for v in house.alerts.page(1, before=newest[0])] == [newest[1]]
    assert [v.row.id for v in house.alerts.page(1, after=newest[2])] == [newest[1]]
    house.at(70, 3 * 86400)
    assert house.alerts.page(9) == []


def test_bounds_include_themselves() -> None:
    above, below = HOT["hot"], AlertRule(measure="score", below=50, clear=70)
    assert breaks(above, 80) and not breaks(above, 79.9)
    assert over(above, 75) and not over(above, 75.1)
    assert breaks(below, 50) and over(below, 70) and not over(below, 69)


def test_own_rules_change_what_they_name_and_no_more() -> None:
    found = merged(
        Alerts(
            rules={
                "disk": AlertRule(below=14),
                "memory": AlertRule(enabled=False),
                "cold": AlertRule(measure="temperature", below=5),
                "health": AlertRule(severity="critical"),
            }
        )
    )
    assert (found["disk"].below, found["disk"].clear) == (14, None)
    assert found["disk"].after == BUILT_IN["disk"].after
    assert "memory" not in found
    assert (found["cold"].below, found["cold"].after, found["cold"].severity) == (5, 0, "warning")
    assert (found["health"].below, found["health"].clear) == (50, 70)
    assert HOLD > 0
