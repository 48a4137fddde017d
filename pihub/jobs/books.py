"""What the work on jobs must ask of the hub: whether it may, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pihub.domain.chat import Ask, Usage
from pihub.store.jobs import Job


class Books(Protocol):
    """Keys, policies and money, as the composition root knows them. One thread's."""

    def admit(self, job: Job, ask: Ask, body: bytes) -> int:
        """Judge a job as a live request is judged, right before it is sent; nano-USD that
        are held for it from now on. `ask`: what `body` says.

        Raises BudgetExceeded where there may be room later, else another PihubError.
        """

    def resume(self, job: Job) -> None:
        """Hold again what was held before a restart."""

    def release(self, id_: str) -> None:
        """Nothing is held any more: it was not answered."""

    def cost(self, job: Job, kind: str, usage: Usage, seconds: float) -> int:
        """nano-USD; -1: unknown. Of an Anthropic job: at the batch price."""

    def write(self, job: Job) -> None:
        """Into the ledger and the budgets; what was held is settled."""

    def recorded(self, rids: Iterable[int]) -> set[int]:
        """Which of these the ledger has."""

    def stored(self) -> bool:
        """Whether all records from before this process's start are in the ledger."""
