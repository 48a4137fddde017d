"""The dashboard's routes and resources; the composition root hands them to the control app."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import falcon
from jinja2 import DictLoader, Environment

from pihub import __version__
from pihub.dashboard import onerequest, words
from pihub.dashboard.assets import Assets, StaticFile
from pihub.dashboard.chart import charts, table
from pihub.dashboard.entries import ENTRIES, menu
from pihub.dashboard.faults import FaultPage
from pihub.dashboard.feed import MOST_VIEWERS, Feed
from pihub.dashboard.login import login_pages
from pihub.dashboard.menu import Entry, ScreenPage
from pihub.dashboard.policy import guard
from pihub.dashboard.screens import tenant
from pihub.dashboard.search import CLASSES, ROUTES, Query, find
from pihub.dashboard.sources import Sources
from pihub.dashboard.verdict import Alert, standing
from pihub.dashboard.view import row
from pihub.dashboard.welcome import HERE as WELCOME
from pihub.dashboard.welcome import WelcomePage
from pihub.errors import ControlUnavailable, Forbidden, NotFound
from pihub.insight.live import request
from pihub.ops.configuring import ConfigDesk
from pihub.ops.vitals import Vitals
from pihub.security.actor import Actor
from pihub.security.keys import KeyService
from pihub.security.opening import Control
from pihub.store.rows import Reports

HERE = Path(__file__).parent
DOORS = ("login", "setup", "welcome", "fault")
"""Pages without a menu: what it leads to is not open yet."""
MOST_KEYS = 200
RETRY = 10
"""Seconds after which one viewer too many may try again."""


class Services(Protocol):
    """What the control process offers its pages."""

    @property
    def live(self) -> Any: ...
    @property
    def store(self) -> Reports: ...
    @property
    def control(self) -> Control | None: ...
    @property
    def config(self) -> ConfigDesk: ...
    @property
    def keys(self) -> KeyService: ...
    @property
    def vitals(self) -> Vitals | None: ...
    def of_tenant(self, number: int) -> Services: ...


class Pages(NamedTuple):
    """What the control application takes over."""

    routes: list[tuple[str, object]]
    """(URI template, resource)"""
    fault: FaultPage


def pages(
    services: Services,
    stop: threading.Event,
    sources: Callable[[Services], Sources] | None = None,
) -> Pages:
    """Streams end within two seconds of `stop`.

    `sources`: what the screens look at; without it there are none (tests of single pages).
    """
    assets = Assets(HERE / "static")
    feed = Feed(services.live, services.store, stop, assets.build, _standing(services))
    entries = ENTRIES if sources is not None else ()
    templates = Templates(assets, entries)
    seen = None if sources is None else sources(services)
    routes: list[tuple[str, object]] = [
        ("/dashboard", Overview(feed, templates, seen)),
        ("/dashboard/", Moved()),
        ("/dashboard/events", Events(feed)),
        ("/dashboard/requests", Requests(services, templates)),
        ("/dashboard/requests/{number:int}", OneRequest(services, templates)),
        ("/dashboard/static/{name}", StaticFile(assets)),
        *[(f"/dashboard/{one.name}", ScreenPage(one, seen, templates)) for one in entries],
        *([] if services.control is None else login_pages(services.control, templates)),
        *([] if services.control is None else welcome(services, services.control, templates)),
    ]
    return Pages(routes, FaultPage(templates))


def _standing(services: Services) -> Callable[[], Iterable[Alert]]:
    vitals = services.vitals
    if vitals is None:
        return tuple
    return partial(standing, vitals.alerts)


def welcome(
    services: Services, control: Control, templates: Templates
) -> list[tuple[str, object]]:
    return [(WELCOME, WelcomePage(control, services.config, services.keys, templates))]


class Templates:
    """Jinja2 with escaping always on."""

    def __init__(self, assets: Assets, entries: tuple[Entry, ...] = ()) -> None:
        self._entries = entries
        self._jinja = Environment(
            # All are read now: while the package is upgraded, the files are of another version.
            loader=DictLoader(
                {one.name: one.read_text("utf-8") for one in (HERE / "templates").iterdir()}
            ),
            autoescape=True,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._jinja.filters["soft"] = words.soft
        self._jinja.globals.update(
            asset=assets.url,
            build=assets.build,
            version=__version__,
            blank=defaultdict(str),
            menu=menu(entries),
            doors=DOORS,
            countdown=words.countdown,
            clock=words.clock,
            took=words.milliseconds,
        )

    def answer(
        self, resp: falcon.Response, name: str, actor: Actor | None = None, **values: Any
    ) -> None:
        """Render a page into an answer; the menu shows what `actor` may see."""
        if actor is not None:
            values["menu"] = menu(one for one in self._entries if one.open_to(actor))
        guard(resp)
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("cache-control", "no-store")
        resp.data = self.text(name, **values).encode("utf-8", "replace")

    def text(self, name: str, **values: Any) -> str:
        return self._jinja.get_template(name).render(**values)


class Overview:
    """GET /dashboard: whole and up to date even where no script runs. A tenant's people get
    a screen of their own instead of the whole hub's picture."""

    tenanted = True

    def __init__(self, feed: Feed, templates: Templates, sources: Sources | None) -> None:
        self._feed = feed
        self._templates = templates
        self._sources = sources

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        actor: Actor | None = req.env.get("pihub.actor")
        if actor is not None and actor.tenant is not None:
            self._of_tenant(resp, actor, actor.tenant)
            return
        view, series = self._feed.page()
        self._templates.answer(
            resp,
            "overview.html",
            actor,
            view=view,
            texts=view["texts"],
            clock=words.clock(view["at"]),
            charts=charts(series),
            table=table(series),
        )

    def _of_tenant(self, resp: falcon.Response, actor: Actor, number: int) -> None:
        if self._sources is None:
            raise Forbidden("this page shows all tenants")
        screen = tenant.build(self._sources.of_tenant(number), {})
        self._templates.answer(
            resp, "screen.html", actor, page="overview", reader=False, screen=screen
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
    tenanted = True

    def __init__(self, services: Services, templates: Templates) -> None:
        self._services = services
        self._templates = templates

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        query = Query.of(req.params)
        actor: Actor | None = req.env.get("pihub.actor")
        services = self._services
        if actor is not None and actor.tenant is not None:
            services = services.of_tenant(actor.tenant)
        found = find(services.store, query)
        self._templates.answer(
            resp,
            "requests.html",
            actor,
            query=query,
            rows_found=[row(request(one)) for one in found.rows],
            fresh=query == Query(),
            classes=CLASSES,
            routes=list(ROUTES),
            keys=_keys(services, actor),
            older=query.link(before=found.edge) if found.edge else "",
            newest=query.link(before=None) if query.before else "",
        )

    on_head = on_get


def _keys(services: Services, actor: Actor | None) -> list[tuple[int, str]]:
    """(number, name) of the keys that this person may filter by; at most MOST_KEYS."""
    tenant = None if actor is None else actor.tenant
    found = [one for one in services.keys.list() if tenant is None or one.tenant == tenant]
    return [(one.id, one.name) for one in found[-MOST_KEYS:]]


class OneRequest:
    """GET /dashboard/requests/NUMBER"""

    permission = "requests:read"
    tenanted = True

    def __init__(self, services: Services, templates: Templates) -> None:
        self._services = services
        self._templates = templates

    def on_get(self, req: falcon.Request, resp: falcon.Response, number: int) -> None:
        """Raises NotFound."""
        actor: Actor | None = req.env.get("pihub.actor")
        services = self._services
        if actor is not None and actor.tenant is not None:
            services = services.of_tenant(actor.tenant)
        found = services.store.one(number)
        if found is None:
            gone = "this request is not kept, or not any more; store.retention_days says how long"
            raise NotFound(gone)
        key = next((one for one in services.keys.list() if one.id == found[0].key), None)
        name, tenant = ("none", "") if key is None else (key.name, key.tenant_name)
        host = f"{req.forwarded_scheme}://{req.forwarded_host}"
        screen = onerequest.build(*found, name, tenant, host)
        self._templates.answer(resp, "screen.html", actor, page="requests", screen=screen)

    on_head = on_get
