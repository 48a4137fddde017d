"""POST /webhooks/NAME: the signature is judged here, the events are committed in the
control process, and only then is the sender answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import falcon

from pihub.domain.event import Reason
from pihub.domain.ports import Waiter
from pihub.errors import (
    ControlUnavailable,
    Internal,
    MethodNotAllowed,
    NotFound,
    PihubError,
    UpstreamError,
)
from pihub.http.data.whole_body import whole_body
from pihub.settings.schema import Pool, Timers
from pihub.shared.events import CacheState, Flag
from pihub.shared.metrics import Column, Route
from pihub.shared.state import SharedState
from pihub.upstream.connector.connector import Connector
from pihub.upstream.connector.origin import Origin
from pihub.webhooks.parse import FIELDS
from pihub.webhooks.signatures import Signed, Verify

PREFIX = "/webhooks"
INTERNAL = "/take/"
"""Path on the control process's own socket for events."""
TIMERS = Timers(connect=0.3, headers=0.8, first_byte=0.8, idle=0.8, total=0.8)
"""A sender has its answer within a second: the rest of it is for reading, checking, queueing."""
POOL = Pool(size=64, idle=30.0)
MOST_ANSWER = 64 * 1024
TOO_LARGE = "the body is larger than this webhook accepts (max_body)"
_ERROR = int(Flag.ERROR)


class Sender(NamedTuple):
    """One [webhooks.NAME]."""

    verify: Verify
    secret: bytes
    max_body: int


class WebhookSink:
    """Every path below PREFIX."""

    def __init__(
        self,
        senders: Mapping[str, Sender],
        public_url: str,
        connector: Connector,
        socket_path: str,
        waiter: Waiter,
        state: SharedState,
        slot: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._senders = senders
        self._public_url = public_url.rstrip("/")
        self._connector = connector
        self._origin, _ = Origin.parse("unix:" + socket_path)
        self._waiter = waiter
        self._journal = state.journal(slot)
        self._counters = state.counters
        self._slot = slot
        self._names = {name: state.names.intern(name) for name in senders}
        self._intern = state.names.intern
        self._clock = clock

    def __call__(self, req: falcon.Request, resp: falcon.Response, **_: object) -> None:
        name = req.path[len(PREFIX) :].strip("/")
        body = b""
        try:
            sender = self._senders.get(name)
            if sender is None:
                raise NotFound("no such webhook: add [webhooks.NAME] to pihub.toml")
            if req.method != "POST":
                raise MethodNotAllowed("webhooks are posted")
            body = whole_body(req, sender.max_body, TOO_LARGE)
            headers = _headers(req.env)
            url = self._public_url + str(req.env.get("RAW_URI") or req.path)
            now = int(self._clock() * 1000)
            sender.verify(sender.secret, Signed("POST", url, headers, body, now))
            status, data = self._hand_over(req, name, headers, body)
        except PihubError as error:
            if error.status < 500:
                self._counters.add(self._slot, Column.HOOK_REFUSED, 1)
            self._record(req, name, len(body), 0, error.status, error)
            raise
        except Exception:
            self._record(req, name, len(body), 0, 500, Internal("the hub failed"))
            raise
        resp.status = status
        resp.content_type = "application/json" if status < 400 else "application/problem+json"
        resp.set_header("x-pihub-request-id", req.env["pihub.rid_hex"])
        resp.data = data
        self._record(req, name, len(body), len(data), status, None)

    def _hand_over(
        self, req: falcon.Request, name: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """The control process's answer, which comes after its commit."""
        passed = [(field, headers[field]) for field in FIELDS if field in headers]
        passed.append(("x-pihub-request-id", req.env["pihub.rid_hex"]))
        try:
            # Sent twice is taken in once, so a stale connection costs no event.
            answer = self._connector.request(
                self._origin, "POST", INTERNAL + name, passed, body, TIMERS,
                pool=POOL, replay=True,
            )  # fmt: skip
            return answer.status, answer.read_all(MOST_ANSWER)
        except UpstreamError as error:
            raise ControlUnavailable(
                "the events could not be stored; send them again",
                detail=error.detail or error.message,
                retry_after=1,
            ) from error

    def _record(
        self,
        req: falcon.Request,
        name: str,
        bytes_in: int,
        bytes_out: int,
        status: int,
        error: PihubError | None,
    ) -> None:
        reason = Reason.PASSED_THROUGH
        if error is not None or status >= 400:
            reason = Reason.FAILED if status >= 500 else Reason.REFUSED
        self._journal.write(
            req.env["pihub.t0"], [], req.env["pihub.rid"],
            0, 0, 0, 0, 0, 0, 0, bytes_in, bytes_out,
            0, status, 0, int(Route.WEBHOOK), 0, self._names.get(name, 0), 0,
            CacheState.NONE, _ERROR if status >= 400 else 0, 1 if error is None else 0, reason,
            0 if error is None else self._intern(error.code), 0, 0, 0, 0, 0, 0, 0,
        )  # fmt: skip


def _headers(env: Mapping[str, object]) -> dict[str, str]:
    return {
        key[5:].replace("_", "-").lower(): str(value)
        for key, value in env.items()
        if key.startswith("HTTP_")
    }
