"""What the port changes in meinheld's source, as small asserted edits.

`edits/` holds them, one theme a module; `apply` makes them all on an unpacked tree.
"""

from __future__ import annotations

from pathlib import Path

from edits import http, python_api, server
from edits.kinds import Edit, Mismatch

VERSION = python_api.VERSION

EDITS: list[Edit] = [*python_api.EDITS, *server.EDITS, *http.EDITS]


def apply(tree: Path) -> None:
    """Apply every edit in order. Raises Mismatch on the first that does not fit."""
    for edit in EDITS:
        path = tree / edit.file
        text = edit.on(path.read_text(encoding="utf-8"))
        if text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")


__all__ = ["EDITS", "VERSION", "Edit", "Mismatch", "apply"]
