"""The board: a reader gets a blob as it was published, whatever happens to the writer."""

from __future__ import annotations

import random

from pihub._core.arena import Arena
from pihub._core.board import Board
from tests.race.forks import fork, kill, running, until, wait

CAPACITY = 64 * 1024


def blob(n: int) -> bytes:
    """One byte value over a length that depends on the number."""
    return bytes([n & 0xFF]) * (1000 + n * 7919 % (CAPACITY - 1000))


def make() -> Board:
    return Board(Arena.create([("b", Board.size_for(CAPACITY))], 1), "b")


def write_forever(board: Board) -> None:
    while True:
        board.publish(blob(board.generation() + 1))


def check(board: Board) -> int:
    generation, data = board.read()
    assert data == (blob(generation) if generation else b""), f"torn blob {generation}"
    return generation


def test_never_torn() -> None:
    board = make()

    def read() -> None:
        last = 0
        for _ in range(20_000):
            now = check(board)
            assert now >= last
            last = now
        assert last > 0

    with running(lambda: write_forever(board)):
        until(lambda: board.generation() > 10)
        wait([fork(read) for _ in range(2)])


def test_a_killed_writer_leaves_the_last_blob() -> None:
    board = make()
    rng = random.Random(5)
    for _ in range(40):
        pid = fork(lambda: write_forever(board))
        goal = board.generation() + rng.randrange(1, 200)
        until(lambda goal=goal: board.generation() >= goal)
        kill(pid)
        last = board.generation()
        assert check(board) == last
        assert check(board) == last
