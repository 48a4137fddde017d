"""The control plane's WSGI application: the table's routes, and the pages of the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import falcon

from pihub.http.control.compression import Compression
from pihub.http.control.dispatch import Dispatcher
from pihub.http.control.errors import Failures, Page
from pihub.http.control.gate import Gate
from pihub.http.control.identity import Identity
from pihub.http.control.openapi import Document
from pihub.http.control.services import ControlServices
from pihub.http.control.table import OPERATIONS

App = falcon.App[falcon.Request, falcon.Response]
Route = tuple[str, object]
"""(URI template, Falcon resource)"""
OPENAPI = "/admin/api/openapi.json"


def build_control_app(
    services: ControlServices,
    extra_routes: Iterable[Route] = (),
    saved: Callable[[int], None] = lambda number: None,
    fault: Page | None = None,
) -> App:
    """The WSGI application of the control process. `saved`: see compression.Compression;
    `fault`: what people see of an error."""
    control = services.control
    identity = None
    if control is not None:
        identity = Identity(
            control.accounts,
            control.sessions,
            services.keys,
            control.audit,
            services.proxies,
            services.public_url,
        )
    app: App = falcon.App(
        middleware=[
            Compression(saved),
            Gate(identity, services.public_url, services.level),
        ]
    )
    app.req_options.auto_parse_qs_csv = False
    app.req_options.strip_url_path_trailing_slash = False
    app.req_options.keep_blank_qs_values = True
    Failures(fault).install(app)
    audit = None if control is None else control.audit
    table = Dispatcher(OPERATIONS, services, audit).routes()
    routes = [(OPENAPI, Document(OPERATIONS)), *table]
    for template, resource in (*routes, *extra_routes):
        app.add_route(template, resource)
    return app
