"""The port's edits, one theme a module."""
