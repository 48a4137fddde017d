"""Typed Python faces of the shared arena; the only package that imports `_core`."""
