"""Benchmarks: one question a module; ratios within one run, never wall time alone."""
