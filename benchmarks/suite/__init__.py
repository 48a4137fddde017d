"""The whole hub under open-loop load: figures with their spread, a report, a comparison."""

from __future__ import annotations

from benchmarks.suite.run import run

__all__ = ["run"]
