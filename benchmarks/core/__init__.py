"""The core's structures: one question a module (python -m benchmarks, docs/benchmarks.md)."""
