"""Playground: the same question to two models, with what the hub says of each answer."""

from __future__ import annotations

from collections.abc import Mapping

from pihub.dashboard.parts import Screen, Text
from pihub.dashboard.sources import Sources


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    names = "\n".join(sources.models())
    return Screen("Playground", (Text("models", names),))


def reference(sources: Sources, asked: Mapping[str, str]) -> Screen:
    """The page of the API's documentation; its script reads the OpenAPI document."""
    return Screen("Admin API", ())
