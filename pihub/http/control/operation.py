"""One operation of the admin API: everything that routing, documents and tests need of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pihub.errors import PihubError
from pihub.http.control.paging import Pager
from pihub.http.control.services import ControlServices
from pihub.http.control.shapes import Input, Nothing
from pihub.security.actor import Actor

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
API = "/admin/api/v1"
JSON = "application/json"
SELF = "self"
"""The permission of what everybody may do with their own account."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read and authorised. `query` and `body` have the operation's types."""

    services: ControlServices
    actor: Actor
    path: Mapping[str, Any]
    """The values of the template's fields: int for `{id:int}`, else str."""
    query: Any
    body: Any
    pager: Pager
    """For list operations: `call.pager.page(...)`."""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with more than a body; a handler may also return the bare value."""

    value: Any
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()


Handler = Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """A line of the table. `path` is a Falcon template below /admin/api/v1."""

    method: Method
    path: str
    permission: str
    summary: str
    """One sentence; also the line in docs/admin-api.md."""
    handler: Handler
    output: Any
    """A type that msgspec can describe: an Output, Page[...], dict."""
    query: type[Input] = Nothing
    body: type[Input] | None = None
    status: int = 200
    errors: tuple[type[PihubError], ...] = ()
    """Beyond those that every operation may answer."""
    must_match: bool = False
    """A write that is refused (428) without If-Match."""
    tenanted: bool = False
    """It honours `call.actor.tenant`; else users of one tenant are refused."""
    alone: bool = True
    """As a write it has the hub's configuration to itself; False: it may take long (it asks
    another machine), and changes nothing that an If-Match could guard."""
    audited: bool = True
    """Has a line in the audit log as a write; False: it only looks, with a body for what must
    not stand in a URL."""
    media: str = JSON
    """Of the answer; a handler of another one returns bytes."""
    tags: tuple[str, ...] = field(default=())

    @property
    def id(self) -> str:
        """Such as `get_keys` and `delete_keys_number`, unique in the table."""
        words = [word.partition(":")[0] for word in self.path.replace("{", "").split("/")]
        return "_".join([self.method.lower(), *filter(None, (w.strip("}") for w in words))])

    @property
    def noun(self) -> str:
        return self.tags[0] if self.tags else self.path.strip("/").partition("/")[0]

    @property
    def shown_path(self) -> str:
        """The path as OpenAPI and the documentation write it, `{number}` without its type."""
        return API + "/".join(
            part.partition(":")[0] + "}" if part.startswith("{") and ":" in part else part
            for part in self.path.split("/")
        )
