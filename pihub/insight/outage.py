"""The hub without the world outside: since when, and how requests were answered meanwhile."""

from __future__ import annotations

from typing import Any

from pihub.shared.routing import Event
from pihub.shared.state import SharedState
from pihub.shared.wan import Wan

ANSWERS = {
    "kept": (Event.OFFLINE_STALE,),
    "local": (Event.OFFLINE_LOCAL, Event.OFFLINE_INSTEAD),
    "queued": (Event.OFFLINE_QUEUED,),
    "refused": (Event.OFFLINE_REFUSED,),
}


class Outage:
    """One thread asks it, each second or five."""

    def __init__(self, state: SharedState) -> None:
        self._wan = Wan(state.wan)
        self._total = state.routing.total
        self._since = 0.0
        self._seen = self._before = self._answers()

    def picture(self) -> dict[str, Any]:
        """{"offline", "since" (Unix seconds, None: never changed), "mode", "until", "answers"};
        answers are counted from the outage's beginning, or from when this process began."""
        state, answers = self._wan.state(), self._answers()
        if state.since != self._since:
            # Since the look before: what came between the outage and this look counts.
            self._since, self._before = state.since, self._seen
        self._seen = answers
        return {
            "offline": state.offline,
            "since": state.since or None,
            "mode": state.mode,
            "until": state.until or None,
            "answers": {name: number - self._before[name] for name, number in answers.items()},
        }

    def _answers(self) -> dict[str, int]:
        return {name: sum(map(self._total, events)) for name, events in ANSWERS.items()}
