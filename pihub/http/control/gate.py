"""Who may talk to the control plane: names that a rebound DNS cannot have, reads only
for what came through a worker.

The socket's mode 0600 is the credential for writing: whoever can open it is the hub's
own user. A worker marks what it passes on with `x-pihub-forwarded: <client>`, and that
mark cannot be removed by a client, only added.
"""

from __future__ import annotations

import ipaddress
import secrets
from urllib.parse import urlsplit

import falcon

from pihub.errors import Forbidden
from pihub.security.actor import LOCAL, Actor
from pihub.security.permissions import LOCAL_READS

READS = frozenset({"GET", "HEAD"})
_RID_CHARS = frozenset("0123456789abcdef")


class Gate:
    """Falcon middleware before every resource."""

    def __init__(self, public_url: str = "") -> None:
        self._public_host = urlsplit(public_url).hostname or ""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Raises Forbidden."""
        req.env["pihub.rid_hex"] = _request_id(req.get_header("x-pihub-request-id"))
        forwarded = req.get_header("x-pihub-forwarded") is not None
        host = req.get_header("host")
        if (forwarded or host) and not self._known(host or ""):
            raise Forbidden(
                "this host name is not the hub's: use its address, localhost, or set "
                "server.public_url"
            )
        if forwarded and req.method not in READS:
            raise Forbidden(
                "changes are made on the machine itself: use the pihub command, or the "
                "control socket"
            )
        source = req.get_header("x-pihub-forwarded") or ""
        req.env["pihub.actor"] = (
            Actor("nobody", "this machine", LOCAL_READS, source=source) if forwarded else LOCAL
        )

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        resp.set_header("x-content-type-options", "nosniff")
        resp.set_header("x-pihub-request-id", req.env.get("pihub.rid_hex", ""))
        if resp.get_header("cache-control") is None:
            resp.set_header("cache-control", "no-store")

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


def _request_id(given: str | None) -> str:
    if given and len(given) <= 32 and _RID_CHARS.issuperset(given):
        return given
    return secrets.token_hex(8)
