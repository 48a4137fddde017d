from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.board import Board
from tests.model import board as model


def make(capacity: int = 1000) -> tuple[Arena, Board]:
    arena = Arena.create([("b", Board.size_for(capacity))], 1)
    return arena, Board(arena, "b")


@given(st.lists(st.binary(max_size=1000), max_size=8))
def test_as_the_model(blobs: list[bytes]) -> None:
    arena, real = make()
    twin = model.Board()
    reader = Board(Arena.attach(arena.fd, True), "b")
    assert reader.read() == twin.read() == (0, b"")
    for blob in blobs:
        assert real.publish(blob) == twin.publish(blob)
        assert real.read() == reader.read() == twin.read()
        assert reader.generation() == real.generation()


@pytest.mark.parametrize("capacity", [0, 1, 127, 128, 129, 1000])
def test_capacity(capacity: int) -> None:
    _, board = make(capacity)
    assert board.capacity >= capacity
    full = b"x" * board.capacity
    board.publish(full)
    with pytest.raises(ValueError, match="do not fit"):
        board.publish(full + b"x")
    assert board.read() == (1, full)


def test_read_only() -> None:
    arena, board = make()
    board.publish(b"x")
    with pytest.raises(PermissionError):
        Board(Arena.attach(arena.fd, True), "b").publish(b"y")
    assert board.read() == (1, b"x")


def test_too_small_region() -> None:
    arena = Arena.create([("b", 100)], 1)
    with pytest.raises(ValueError, match="too small"):
        Board(arena, "b")
