"""[scanner]: how input is judged, and what happens to it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pihub.settings.section import Section

Mode = Literal["off", "monitor", "block"]
Points = Annotated[int, msgspec.Meta(ge=1, le=100)]


class ScannerRoute(Section, frozen=True):
    """Below one path prefix."""

    mode: Mode = "block"
    body: Mode = "monitor"
    body_at: Points = 80


class Scanner(Section, frozen=True):
    mode: Mode = "block"
    """Path, query and headers of every request."""
    form: Mode = "block"
    """Form bodies of generic APIs. Sentences are asked for more than a likely attack."""
    body: Mode = "monitor"
    """JSON and text bodies of generic APIs. What is asked of a model is never judged by it."""
    block_at: Points = 60
    """Points from which a path, query or form value counts as an attack."""
    header_at: Points = 70
    body_at: Points = 80
    max_body: str = "1MB"
    """The largest body that is judged, whole; a larger one is refused (413). Of a form with files
    its text alone. RAM: that much a body, while it is judged."""
    max_upload: str = "10MB"
    """The largest form with files (multipart), whose text, names of files and hidden programs are
    judged; a larger one is refused (413). Where forms are only noted about (`form`, `routes`), one
    above `max_body` passes with a note. RAM: that much an upload, while it is judged."""
    depth: Annotated[int, msgspec.Meta(ge=1, le=64)] = 64
    """Nesting of a JSON body of a generic API, at most."""
    retention_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90
    """How long findings are kept."""
    routes: dict[str, ScannerRoute] = {}
    """By path prefix; the longest one counts."""
