"""The dashboard's routes and resources; the composition root hands them to the control app."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import falcon
from jinja2 import Environment, FileSystemLoader

from pihub import __version__
from pihub.dashboard import words
from pihub.dashboard.assets import Assets, StaticFile
from pihub.dashboard.chart import charts, table
from pihub.dashboard.entries import ENTRIES
from pihub.dashboard.feed import MOST_VIEWERS, Feed
from pihub.dashboard.login import login_pages
from pihub.dashboard.menu import Entry, ScreenPage
from pihub.dashboard.policy import guard
from pihub.dashboard.search import Query, find
from pihub.dashboard.sources import Sources
from pihub.dashboard.view import row
from pihub.errors import ControlUnavailable
from pihub.insight.live import Live, request
from pihub.security.opening import Control
from pihub.store.rows import EventStore

HERE = Path(__file__).parent
RETRY = 10
"""Seconds after which one viewer too many may try again."""


class Services(Protocol):
    """What the control process offers its pages."""

    @property
    def live(self) -> Live: ...
    @property
    def store(self) -> EventStore: ...
    @property
    def control(self) -> Control | None: ...


def pages(
    services: Services,
    stop: threading.Event,
    sources: Callable[[Services], Sources] | None = None,
) -> list[tuple[str, object]]:
    """(URI template, resource); streams end within two seconds of `stop`.

    `sources`: what the screens look at; without it there are none (tests of single pages).
    """
    assets = Assets(HERE / "static")
    feed = Feed(services.live, services.store, stop, assets.build)
    entries = ENTRIES if sources is not None else ()
    templates = Templates(assets, entries)
    seen = None if sources is None else sources(services)
    return [
        ("/dashboard", Overview(feed, templates)),
        ("/dashboard/", Moved()),
        ("/dashboard/events", Events(feed)),
        ("/dashboard/requests", Requests(services.store, templates)),
        ("/dashboard/static/{name}", StaticFile(assets)),
        *[(f"/dashboard/{one.name}", ScreenPage(one, seen, templates)) for one in entries],
        *([] if services.control is None else login_pages(services.control, templates)),
    ]


class Templates:
    """Jinja2 with escaping always on."""

    def __init__(self, assets: Assets, menu: tuple[Entry, ...] = ()) -> None:
        self._jinja = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._jinja.globals.update(
            asset=assets.url,
            build=assets.build,
            version=__version__,
            blank=defaultdict(str),
            menu=menu,
            countdown=words.countdown,
        )

    def answer(self, resp: falcon.Response, name: str, **values: Any) -> None:
        """Render a page into an answer."""
        guard(resp)
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("cache-control", "no-store")
        text = self._jinja.get_template(name).render(**values)
        resp.data = text.encode("utf-8", "replace")


class Overview:
    """GET /dashboard: whole and up to date even where no script runs."""

    def __init__(self, feed: Feed, templates: Templates) -> None:
        self._feed = feed
        self._templates = templates

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        view, series = self._feed.page()
        self._templates.answer(
            resp,
            "overview.html",
            view=view,
            texts=view["texts"],
            clock=words.clock(view["at"]),
            charts=charts(series),
            table=table(series),
        )

    on_head = on_get


class Moved:
    """GET /dashboard/"""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        raise falcon.HTTPPermanentRedirect("/dashboard")

    on_head = on_get


class Events:
    """GET /dashboard/events: server-sent events."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        guard(resp)
        viewer = self._feed.watch()
        if viewer is None:
            raise ControlUnavailable(
                f"{MOST_VIEWERS} pages are open already; close one", retry_after=RETRY
            )
        resp.content_type = "text/event-stream"
        resp.set_header("cache-control", "no-store")
        resp.set_header("x-accel-buffering", "no")
        resp.stream = viewer


class Requests:
    """GET /dashboard/requests?show=&model=&before=: recorded requests, filtered here."""

    permission = "requests:read"

    def __init__(self, store: EventStore, templates: Templates) -> None:
        self._store = store
        self._templates = templates

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        query = Query.of(req.params)
        found = find(self._store, query)
        self._templates.answer(
            resp,
            "requests.html",
            query=query,
            rows_found=[row(request(one)) for one in found.rows],
            scanned=words.count(found.scanned),
            older=query.link(before=found.next) if found.next else "",
            newest=query.link(before=None) if query.before else "",
        )

    on_head = on_get
