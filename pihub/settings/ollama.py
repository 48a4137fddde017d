"""Who may manage the models of a real Ollama through the hub."""

from __future__ import annotations

import msgspec

from pihub.settings.section import Section


class OllamaManagement(Section, frozen=True):
    manage: str = ""
    """The upstream that gets /api/pull, /api/push, /api/create, /api/copy, /api/delete and
    /api/blobs; empty: none does. Files (/api/blobs) of any size pass with `server.engine`
    gthread; meinheld refuses those above twice the largest limit of a body."""
    manage_keys: list[int] = msgspec.field(default_factory=list)
    """Ids of the keys that may; nobody else may."""
