"""The core: its cache beside others, its primitives in nanoseconds and instructions."""

from benchmarks.core.run import run

__all__ = ["run"]
