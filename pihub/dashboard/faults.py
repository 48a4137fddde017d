"""A failure as a page, for people: what happened, and where to go on."""

from __future__ import annotations

from typing import Protocol

import falcon

from pihub.dashboard.policy import guard
from pihub.errors import PihubError

BELOW = "/dashboard"
TITLES = {
    400: "The address is not right",
    401: "You are not logged in",
    403: "You may not see this",
    404: "There is nothing here",
    500: "The hub failed",
    503: "The hub is busy with itself",
}


class Render(Protocol):
    """What the page's templates offer (pages.Templates)."""

    def text(self, name: str, **values: object) -> str: ...


class FaultPage:
    """Of a browser that asked for a page. Everybody else gets problem details."""

    def __init__(self, templates: Render) -> None:
        self._templates = templates

    def __call__(self, req: falcon.Request, resp: falcon.Response, error: PihubError) -> bool:
        """False: it is not for a browser. The status is the caller's."""
        page = req.method in ("GET", "HEAD") and req.path.startswith(BELOW)
        if not page or "text/html" not in (req.get_header("accept") or ""):
            return False
        guard(resp)
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("cache-control", "no-store")
        rid = req.env.get("pihub.rid_hex", "")
        text = self._templates.text("fault.html", page="fault", error=error, rid=rid, words=TITLES)
        resp.data = text.encode("utf-8", "replace")
        return True
