"""Health over time and learnt baselines, in the metrics database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pihub.store.sqlite import Database

KEPT_DAYS = 14
"""Of samples: 288 a day and series, some 20 bytes each."""
BASELINE_DAYS = 180
"""Of a baseline that nothing was added to."""


class BaselineRow(NamedTuple):
    upstream: str
    model: str
    version: str
    whole: bool
    usual: float
    spread: float
    seen: int
    """Samples behind it."""
    now: float


class HealthRows:
    """One transaction each five minutes; a power cut may take the last."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def commit(
        self, now: int, samples: Mapping[str, float], baselines: Sequence[BaselineRow]
    ) -> None:
        """Raises StoreFault; all or nothing."""
        with self._database.write() as connection:
            for name, value in samples.items():
                connection.execute(
                    "INSERT INTO health_series (name) VALUES (?) ON CONFLICT DO NOTHING", (name,)
                )
                connection.execute(
                    "INSERT OR REPLACE INTO health_samples"
                    " SELECT id, ?, ? FROM health_series WHERE name = ?",
                    (now, value, name),
                )
            connection.executemany(
                "INSERT OR REPLACE INTO health_baselines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(*one, now) for one in baselines],
            )
            # Series by series: the key begins with the series, a scan of all takes longer.
            connection.execute(
                "DELETE FROM health_samples WHERE series IN (SELECT id FROM health_series)"
                " AND at < ?",
                (now - KEPT_DAYS * 86400,),
            )
            connection.execute(
                "DELETE FROM health_baselines WHERE at < ?", (now - BASELINE_DAYS * 86400,)
            )

    def series(self) -> list[str]:
        rows = self._database.read("SELECT name FROM health_series ORDER BY name")
        return [row[0] for row in rows]

    def samples(self, name: str, since: int, most: int) -> list[tuple[int, float]]:
        """(unix second, value), the newest `most` since then, oldest first."""
        rows = self._database.read(
            "SELECT at, value FROM health_samples WHERE series ="
            " (SELECT id FROM health_series WHERE name = ?) AND at >= ?"
            " ORDER BY at DESC LIMIT ?",
            (name, since, most),
        )
        return [(row[0], row[1]) for row in reversed(rows)]

    def baselines(self) -> list[BaselineRow]:
        rows = self._database.read(
            "SELECT upstream, model, version, whole, usual, spread, count, now"
            " FROM health_baselines ORDER BY at"
        )
        return [
            BaselineRow(upstream, model, version, bool(whole), usual, spread, seen, now)
            for upstream, model, version, whole, usual, spread, seen, now in rows
        ]
