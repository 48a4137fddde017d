"""Scores, forecasts and alerts as /metrics tells them: published by the control process."""

from __future__ import annotations

import msgspec

from pihub.shared.spending import Published

MOST = 512
"""Samples; more are cut off, so that they fit the board of 64 KiB."""


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One value of a family, such as `score` of an upstream."""

    family: str
    labels: tuple[tuple[str, str], ...]
    value: float


def publish(board: Published, samples: list[Sample]) -> None:
    board.publish(msgspec.msgpack.encode(samples[:MOST]))


def read(board: Published) -> list[Sample]:
    """Empty until the control process has judged for the first time."""
    data = board.read()[1]
    return msgspec.msgpack.decode(data, type=list[Sample]) if data else []
