"""The core's lane for chats that pass through; gateway/plain.py says which those are."""

from __future__ import annotations

from pihub._core.lane import Begun, Lane
from pihub._core.way import LIMIT_RATE, Way

__all__ = ["LIMIT_RATE", "Begun", "Lane", "Way"]
