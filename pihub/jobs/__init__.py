"""Deferred requests: taken in, worked on by batch or at night, fetched or told."""
