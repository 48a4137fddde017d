"""Names added by many processes at once: one number a name, the same for all."""

from __future__ import annotations

import random

from pihub._core.arena import Arena
from pihub._core.names import Names
from tests.race.forks import fork, kill, until, wait

WORKERS, WORDS = 4, 300


def make(capacity: int) -> Names:
    return Names(Arena.create([("n", Names.size_for(capacity))], WORKERS), "n")


def work(names: Names, seed: int) -> None:
    words = [f"name-{i}" * (i % 5 + 1) for i in range(WORDS)]
    random.Random(seed).shuffle(words)
    for word in words:
        number = names.intern(word)
        assert number > 0
        assert names.lookup(number) == word
        assert names.intern(word) == number


def test_one_number_a_name() -> None:
    for turn in range(15):
        names = make(WORDS)
        wait([fork(lambda seed=seed, names=names: work(names, seed)) for seed in range(WORKERS)])
        assert len(names) == WORDS, f"turn {turn}"
        assert len({names.lookup(i) for i in range(1, WORDS + 1)}) == WORDS


def test_a_killed_writer_blocks_nobody() -> None:
    for _ in range(20):
        names = make(2000)

        def work(names: Names = names) -> None:
            i = 0
            while True:
                i += 1
                names.intern(f"name-{i}")

        pid = fork(work)
        until(lambda names=names: len(names) > 100)
        kill(pid)
        found = len(names)
        for i in range(1, found + 1):
            assert names.intern(f"name-{i}") == i
            assert names.lookup(i) == f"name-{i}"
        assert len(names) == found
