"""What the Cache page says of questions in other words."""

from __future__ import annotations

from typing import Any

from pihub.dashboard.screens.cache import _fills, _semantic
from pihub.insight.cache_desk import CacheDesk
from pihub.shared.answers import AnswerCache, ByteCache, Once
from pihub.shared.semantic import SemanticBook
from pihub.shared.state import Plan, SharedState

STUDY: Any = None
"""Nothing here asks it."""


def test_without_the_semantic_cache_there_is_no_table() -> None:
    state = SharedState.create(Plan(workers=1, cache_bytes=1 << 22))
    assert _semantic(CacheDesk(state, STUDY)) == ()


def test_each_model_with_its_rate_of_wrong_answers() -> None:
    state = SharedState.create(Plan(workers=1, cache_bytes=1 << 22))
    book = SemanticBook(state)
    for number in range(20):
        book.looked("assistant", late=number < 5, found=number >= 10)
        book.compared("assistant", differed=number == 3)
    desk = CacheDesk(state, STUDY, {"assistant": ("shadow", 0.9), "other": ("on", 0.95)})
    (table,) = _semantic(desk)
    first, second = [[cell.text for cell in line.cells] for line in table.lines]
    assert first == ["assistant", "shadow", "20", "50 %", "25 %", "20", "5 %"]
    assert second == ["other", "on", "0", "0 %", "0 %", "0", "–"]


def test_what_no_model_owns_is_said_to_be_the_hub_s() -> None:
    """There is an explanation, and no button that could purge nothing."""
    state = SharedState.create(Plan(workers=1, cache_bytes=1 << 22))
    tag = state.names.intern("crm")
    ByteCache(state.cache, state.arena.secret, 0, tag).put(b"k", 1, b"v", 60.0, 0.0, look=5)
    table = _fills(CacheDesk(state, STUDY), {1: "house"})
    rows = [[cell.text for cell in line.cells[:2]] for line in table.lines]
    assert rows == [["Model or API", "crm"], ["Tenant", "house"]] and not table.note
    answers = AnswerCache(state.cache, state.arena.secret, 0)
    assert answers.put_once(answers.once_key(1, "k"), 1, Once((1, 2), None), 60.0)
    table = _fills(CacheDesk(state, STUDY), {1: "house"})
    (own,) = [line for line in table.lines if line.cells[0].text == "The hub"]
    assert own.cells[1].text == "its own notes" and own.actions == ()
    assert "Idempotency-Key" in table.note
