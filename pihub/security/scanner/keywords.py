"""The pattern file of the scanner's prefilter."""

from __future__ import annotations

from pathlib import Path

from pihub.shared.scanning import Keywords

FILE = Path(__file__).with_name("keywords.txt")


def load(path: Path = FILE) -> Keywords:
    """Raises ValueError for a line that is no literal of 2 to 255 bytes."""
    lines = path.read_text("utf-8").splitlines()
    return Keywords(tuple(line.encode() for line in lines if line and not line.startswith("#")))
