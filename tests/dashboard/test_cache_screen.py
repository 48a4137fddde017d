"""What the Cache page says of questions in other words."""

from __future__ import annotations

from typing import Any

from pihub.dashboard.screens.cache import _semantic
from pihub.insight.cache_desk import CacheDesk
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
