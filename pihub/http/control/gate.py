"""Before every resource of the control plane: names that a rebound DNS cannot have, who
asks, and that a browser's change was meant by its own page.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from urllib.parse import parse_qs, quote, urlsplit

import falcon

from pihub.errors import BadRequest, Forbidden, LoginRequired, TooLarge
from pihub.http.control.identity import Identity, Who
from pihub.security.actor import LOCAL

READS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN = ("/dashboard/login", "/dashboard/setup", "/dashboard/static/")
"""Pages that nobody needs to be logged in for."""
PAGES = "/dashboard"
FORM = "application/x-www-form-urlencoded"
MAX_FORM = 64 * 1024
HEADERS = (
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
)
"""On every answer that has none of its own; pages bring a wider policy (dashboard/policy.py)."""
_RID_CHARS = frozenset("0123456789abcdef")


class Gate:
    """Falcon middleware."""

    def __init__(
        self, identity: Identity | None, public_url: str = "", level: str = "home"
    ) -> None:
        """Without an identity everybody is the socket's owner: tests of pages alone."""
        self._identity = identity
        self._level = level
        self._public_host = urlsplit(public_url).hostname or ""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Sets `pihub.who` and `pihub.actor` in the environ, `pihub.form` of a form.

        Raises Forbidden, LoginRequired, TooManyAttempts; falcon's redirect to the login.
        """
        req.env["pihub.rid_hex"] = _request_id(req.get_header("x-pihub-request-id"))
        forwarded = req.get_header("x-pihub-forwarded") is not None
        host = req.get_header("host")
        if (forwarded or host) and not self._known(host or ""):
            raise Forbidden(
                "this host name is not the hub's: use its address, localhost, or set "
                "server.public_url"
            )
        who = Who(LOCAL, "", secure=False) if self._identity is None else self._identity.of(req)
        req.env["pihub.who"] = who
        req.env["pihub.actor"] = who.actor
        unsafe = req.method not in READS
        if forwarded and unsafe:
            _same_site(req)
        kind = (req.content_type or "").partition(";")[0].strip()
        if unsafe and kind == FORM and req.path.startswith(PAGES):
            req.env["pihub.form"] = _form(req)
        if who.session and unsafe and not req.path.startswith(OPEN):
            given = req.get_header("x-csrf-token") or req.env.get("pihub.form", {}).get("csrf", "")
            if not hmac.compare_digest(given.encode(), who.csrf.encode()):
                raise Forbidden("the page is out of date: load it again, then repeat the change")
        if who.actor.kind == "nobody" and not req.path.startswith(OPEN):
            self._nobody(req, may_read=who.actor.permissions != frozenset())

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: object, params: object
    ) -> None:
        """A page's own permission: its attribute `permission`, else `status:read`.

        Raises Forbidden.
        """
        if not req.path.startswith(PAGES) or req.path.startswith(OPEN):
            return
        actor = req.env["pihub.actor"]
        actor.require(getattr(resource, "permission", "status:read"))
        if actor.tenant is not None and not getattr(resource, "tenanted", False):
            raise Forbidden("this page shows all tenants; yours are in the admin API")

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        for name, value in HEADERS:
            if resp.get_header(name) is None:
                resp.set_header(name, value)
        resp.set_header("x-security-level", self._level)
        resp.set_header("x-pihub-request-id", req.env.get("pihub.rid_hex", ""))
        who = req.env.get("pihub.who")
        if who is not None and who.secure:
            resp.set_header("strict-transport-security", "max-age=31536000")

    def _nobody(self, req: falcon.Request, *, may_read: bool) -> None:
        if may_read:
            if req.method not in READS:
                raise Forbidden(
                    "changes need an admin: make the first one with the link that the hub "
                    "printed, or use the pihub command"
                )
            return
        if req.path.startswith(PAGES) and req.method in READS:
            back = req.path if req.path != "/dashboard/events" else PAGES
            raise falcon.HTTPSeeOther(f"/dashboard/login?next={quote(back)}")
        raise LoginRequired("log in, or send an admin key as 'Authorization: Bearer ph_...'")

    def _known(self, header: str) -> bool:
        # A browser that was led here by a foreign name (DNS rebinding) sends that name.
        if header.startswith("["):
            name, bracket, port = header[1:].partition("]")
            if not bracket or (port and not port[1:].isdigit()):
                return False
        else:
            name, _, port = header.partition(":")
            if port and not port.isdigit():
                return False
        name = name.lower().rstrip(".")
        if name == "localhost" or (name and name == self._public_host):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _same_site(req: falcon.Request) -> None:
    """What a browser says of itself (Fetch Metadata, Origin). Raises Forbidden."""
    site = req.get_header("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise Forbidden("another site may not change anything here")
    origin = req.get_header("origin")
    if site == "same-origin" and origin == "null":
        return  # a page that sends no referrer: the browser hides the origin, not the site
    if origin is not None and _netloc(origin) != (req.get_header("host") or ""):
        raise Forbidden("another site may not change anything here")


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # such as half of the brackets of an IPv6 address
        return None


def _form(req: falcon.Request) -> dict[str, str]:
    """The fields of a form, each once. Raises BadRequest, TooLarge."""
    data = req.bounded_stream.read(MAX_FORM + 1)
    if len(data) > MAX_FORM:
        raise TooLarge(f"a form may have {MAX_FORM} bytes")
    try:
        text = data.decode("utf-8", "replace")
        found = parse_qs(text, keep_blank_values=True, max_num_fields=200)
    except ValueError:
        raise BadRequest("the form has too many fields") from None
    return {name: values[0] for name, values in found.items()}


def _request_id(given: str | None) -> str:
    if given and len(given) <= 32 and _RID_CHARS.issuperset(given):
        return given
    return secrets.token_hex(8)
