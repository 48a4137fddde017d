"""How a generic API pages its lists."""

from __future__ import annotations

from pihub.settings.section import Section


class Paging(Section, frozen=True):
    """HubSpot's way by default."""

    items: str = "results"
    """Path to the list in an answer; empty: the answer is the list."""
    next: str = "paging.next.after"
    """Path to the cursor of the next page, `-1.` for one within the last item; empty: the
    `Link` field."""
    parameter: str = "after"
    """The query parameter that carries it."""
    more: str = ""
    """Path to a flag without which there is no next page."""
