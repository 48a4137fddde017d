"""Vectors in the shared cache: found, bounded, and gone with their answers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import sqrt

import pytest

from pihub.shared.answers import AnswerCache, Key, group
from pihub.shared.cachepages import CachePages
from pihub.shared.meanings import SLOTS, Meanings, dot, quantised
from pihub.shared.semantic import SemanticBook
from pihub.shared.state import Plan, SharedState

WORDS = ("en", "capital", "France")
CONTEXT: Key = (5, 6)
ANSWER: Key = (7, 8)
TAG, TENANT = 3, 1


@pytest.fixture
def state() -> Iterator[SharedState]:
    yield SharedState.create(Plan(workers=1, cache_bytes=1 << 22))


@pytest.fixture
def meanings(state: SharedState) -> Meanings:
    return Meanings(state.cache, state.arena.secret, 7)


def drawn(seed: int, size: int = 768) -> list[float]:
    draw = random.Random(seed)
    return [draw.gauss(0, 1) for _ in range(size)]


def slow_cosine(one: list[float], two: list[float]) -> float:
    dot = sum(a * b for a, b in zip(one, two, strict=True))
    return dot / sqrt(sum(a * a for a in one) * sum(b * b for b in two))


def similarity(one: bytes, two: bytes) -> float:
    return dot(one, two) / sqrt(dot(one, one) * dot(two, two))


@pytest.mark.parametrize("size", [1, 3, 384, 768, 1024])
def test_a_byte_a_dimension_is_enough(size: int) -> None:
    for seed in range(20):
        one, noise = drawn(seed, size), drawn(seed + 100, size)
        for share in (0.0, 0.1, 0.5, 1.0):
            two = [a + share * b for a, b in zip(one, noise, strict=True)]
            found = similarity(quantised(one), quantised(two))
            assert found == pytest.approx(slow_cosine(one, two), abs=0.01)
    against = quantised([-a for a in one])
    assert similarity(quantised(one), quantised(one)) == pytest.approx(1.0)
    assert similarity(quantised(one), against) == pytest.approx(-1.0, abs=0.01)


@pytest.mark.parametrize(
    "vector", [[], [0.0, 0.0], [float("nan")], [float("inf"), 1.0], [1.0] * 5000]
)
def test_what_is_no_direction_is_no_vector(vector: list[float]) -> None:
    assert quantised(vector) == b""


def test_vectors_of_another_length_are_not_compared(meanings: Meanings) -> None:
    kind = meanings.kind("chat", "ol/e", CONTEXT, WORDS)
    meanings.put(kind, TENANT, quantised([1.0, 2.0]), ANSWER, 60, TAG)
    assert meanings.nearest(kind, TENANT, quantised([1.0]), (0, 0)) is None


def test_the_nearest_is_found_but_oneself(meanings: Meanings) -> None:
    kind = meanings.kind("chat", "ol/e", CONTEXT, WORDS)
    near, far = quantised(drawn(1)), quantised(drawn(2))
    assert meanings.put(kind, TENANT, near, (1, 0), 60, TAG)
    assert meanings.put(kind, TENANT, far, (1, 1), 60, TAG)
    found = meanings.nearest(kind, TENANT, near, (9, 9))
    assert found is not None
    assert found[1] == (1, 0)
    assert found[0] == pytest.approx(1.0)
    other = meanings.nearest(kind, TENANT, near, (1, 0))
    assert other is not None
    assert other[1] == (1, 1)


def test_everything_that_must_be_equal_is_in_the_key(meanings: Meanings) -> None:
    vector = quantised(drawn(1))
    kind = meanings.kind("chat", "ol/e", CONTEXT, WORDS)
    meanings.put(kind, TENANT, vector, ANSWER, 60, TAG)
    assert meanings.nearest(kind, TENANT, vector, (0, 0)) is not None
    for other in (
        meanings.kind("talk", "ol/e", CONTEXT, WORDS),
        meanings.kind("chat", "ol/f", CONTEXT, WORDS),
        meanings.kind("chat", "ol/e", (5, 7), WORDS),
        meanings.kind("chat", "ol/e", CONTEXT, ("en", "France", "capital")),
    ):
        assert meanings.nearest(other, TENANT, vector, (0, 0)) is None
    assert meanings.nearest(kind, TENANT + 1, vector, (0, 0)) is None, "never across tenants"


def test_a_kind_holds_so_many_and_no_more(meanings: Meanings, state: SharedState) -> None:
    kind = meanings.kind("chat", "ol/e", CONTEXT, WORDS)
    for number in range(50):
        meanings.put(kind, TENANT, quantised(drawn(number)), (number, number), 60, TAG)
    assert state.cache.stats()["entries"] == SLOTS
    assert state.cache.stats()["bytes"] < SLOTS * 900, "0.9 KiB each, at 768 dimensions"


@pytest.mark.parametrize("purge", ["key", "tag", "tenant", "all"])
def test_every_purge_of_an_answer_takes_its_vector(
    meanings: Meanings, state: SharedState, purge: str
) -> None:
    kind, vector = meanings.kind("chat", "ol/e", CONTEXT, WORDS), quantised(drawn(1))
    meanings.put(kind, TENANT, vector, ANSWER, 60, TAG)
    pages = CachePages(state.cache)
    {
        "key": lambda: state.cache.sweep(TENANT, group(ANSWER[0])),
        "tag": lambda: pages.purge_tag(TAG),
        "tenant": lambda: pages.purge_tenant(TENANT),
        "all": pages.purge_all,
    }[purge]()
    assert meanings.nearest(kind, TENANT, vector, (0, 0)) is None


def test_what_another_version_has_left_is_passed_by(meanings: Meanings, state: SharedState) -> None:
    kind, vector = (1, 2), quantised([1.0, 2.0])
    assert meanings.put(kind, 1, vector, (3, SLOTS), 60.0, 0)  # in the first slot
    for slot in range(1, SLOTS):
        assert state.cache.put(*meanings._place(kind, slot), 1, b"\xc1", 60.0)
    found = meanings.nearest(kind, 1, vector, (9, 9))
    assert found is not None and found[1] == (3, SLOTS)
    assert state.cache.put(*meanings._place(kind, 0), 1, b"\xc1", 60.0)
    assert meanings.nearest(kind, 1, vector, (9, 9)) is None


def test_another_epoch_finds_nothing(meanings: Meanings, state: SharedState) -> None:
    vector = quantised(drawn(1))
    meanings.put(meanings.kind("chat", "e", CONTEXT, WORDS), TENANT, vector, ANSWER, 60, TAG)
    later = Meanings(state.cache, state.arena.secret, 8)
    kind = later.kind("chat", "e", CONTEXT, WORDS)
    assert later.nearest(kind, TENANT, vector, (0, 0)) is None


def test_vectors_and_answers_never_share_a_key(meanings: Meanings, state: SharedState) -> None:
    answers = AnswerCache(state.cache, state.arena.secret, 7)
    kind = meanings.kind("chat", "e", CONTEXT, WORDS)
    meanings.put(kind, TENANT, quantised(drawn(1)), ANSWER, 60, TAG)
    assert answers.get(kind, TENANT) is None
    assert answers.get(ANSWER, TENANT) is None


def test_the_book_tells_shares(state: SharedState) -> None:
    book = SemanticBook(state)
    assert book.seen("chat").differed is None
    for number in range(100):
        book.looked("chat", late=number % 10 == 0, found=number % 4 == 1)
    for number in range(50):
        book.compared("chat", differed=number == 7)
    seen = SemanticBook(state).seen("chat")
    assert (seen.looked, seen.compared) == (100, 50)
    assert seen.late == pytest.approx(0.1, abs=0.001)
    assert seen.found == pytest.approx(0.25, abs=0.001)
    assert seen.differed == pytest.approx(0.02, abs=0.001)
    assert book.seen("talk").looked == 0
