"""Every route of the control plane, on one screen (pages are added by the dashboard)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import falcon

from pihub.http.control import errors
from pihub.http.control.gate import Gate
from pihub.http.control.resources import Keys, OneKey, Requests, Status, Usage
from pihub.insight.live import Live
from pihub.security.keys import KeyService
from pihub.store.rows import EventStore

App = falcon.App[falcon.Request, falcon.Response]
Route = tuple[str, object]
"""(URI template, Falcon resource)"""


@dataclass(frozen=True, slots=True)
class ControlServices:
    """What the control plane's resources and pages work with."""

    keys: KeyService
    store: EventStore
    live: Live
    public_url: str = ""


def api_routes(services: ControlServices) -> list[Route]:
    """Method names are the resources' `on_...`; docs/admin-api.md lists the same."""
    return [
        ("/admin/api/v1/keys", Keys(services.keys)),
        ("/admin/api/v1/keys/{number:int}", OneKey(services.keys)),
        ("/admin/api/v1/status", Status(services.live)),
        ("/admin/api/v1/requests", Requests(services.store)),
        ("/admin/api/v1/usage", Usage(services.store)),
    ]


def build_control_app(services: ControlServices, extra_routes: Iterable[Route] = ()) -> App:
    """The WSGI application of the control process."""
    app: App = falcon.App(middleware=[Gate(services.public_url)])
    app.req_options.auto_parse_qs_csv = False
    app.req_options.strip_url_path_trailing_slash = False
    app.req_options.keep_blank_qs_values = True
    errors.install(app)
    for template, resource in (*api_routes(services), *extra_routes):
        app.add_route(template, resource)
    return app
