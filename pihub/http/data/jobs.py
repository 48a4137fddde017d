"""Deferred requests in a worker: `x-pihub-deadline` on a chat, /v1/jobs."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Collection
from typing import Any

import falcon
import msgspec

from pihub.domain.ports import Waiter
from pihub.domain.routing import ONLY
from pihub.domain.target import Principal, Target
from pihub.errors import (
    BadRequest,
    BudgetExceeded,
    ControlUnavailable,
    IdempotencyMismatch,
    Internal,
    ModelNotFound,
    PihubError,
    PromptWithheld,
    Unsupported,
    UpstreamError,
)
from pihub.gateway.exchange import Exchange, Incoming
from pihub.gateway.inspect import Inspect
from pihub.gateway.intake import Intake
from pihub.gateway.lookup import check_once
from pihub.gateway.purse import Purse
from pihub.gateway.route import Router
from pihub.http.control.jobs import Taken
from pihub.protocols.registry import UPSTREAMS
from pihub.settings.schema import Pool, Timers
from pihub.shared.access import Access
from pihub.store.jobs import Job
from pihub.upstream.connector.connector import Connector
from pihub.upstream.connector.origin import Origin

TIMERS = Timers(connect=1.0, headers=10.0, first_byte=10.0, idle=10.0, total=20.0)
POOL = Pool(size=16, idle=30.0)
MOST_ANSWER = 64 << 20
SHORTEST, LONGEST = 60.0, 7 * 86400.0
_SPAN = re.compile(r"([0-9]{1,7})(s|m|h|d)?")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, None: 1}
_BATCHED = "anthropic"
UNORDERED = frozenset({"chain", *ONLY})
"""Policies that say nothing of the order."""


def seconds(text: str) -> float:
    """Of `90s`, `30m`, `24h` or `2d`. Raises BadRequest."""
    found = _SPAN.fullmatch(text.strip().lower())
    span = int(found[1]) * _UNITS[found[2]] if found is not None else 0
    if not SHORTEST <= span <= LONGEST:
        raise BadRequest(
            "x-pihub-deadline is a time such as 30m, 24h or 2d: from one minute to seven days",
            param="x-pihub-deadline",
        )
    return float(span)


class JobsSocket:
    """The control process's socket for jobs, as a worker asks it."""

    def __init__(self, connector: Connector, path: str) -> None:
        self._connector = connector
        self._origin, _ = Origin.parse("unix:" + path)

    def ask(self, method: str, path: str, body: bytes | None, client_fd: int) -> tuple[int, bytes]:
        """(status, JSON). Raises ControlUnavailable."""
        try:
            response = self._connector.request(
                self._origin, method, path, [("host", "jobs")], body, TIMERS,
                client_fd=client_fd, pool=POOL,
            )  # fmt: skip
            try:
                return response.status, response.read_all(MOST_ANSWER)
            finally:
                response.close()
        except UpstreamError as error:
            raise ControlUnavailable(
                "deferred requests cannot be handled right now: try again", retry_after=5
            ) from error


class Deferred:
    """Takes a chat in whose answer may come later."""

    def __init__(
        self,
        socket: JobsSocket,
        intake: Intake,
        inspect: Inspect,
        router: Router,
        purse: Purse,
        subscribers: Collection[str],
    ) -> None:
        self._socket = socket
        self._intake = intake
        self._inspect = inspect
        self._router = router
        self._purse = purse
        self._subscribers = subscribers
        self._formats = {kind: make() for kind, make in UPSTREAMS.items()}

    def answer(
        self, request: Incoming, deadline: str
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """202 with the job as JSON, or an error in the client's protocol."""
        try:
            status, body = self.take(request, seconds(deadline))
        except PihubError as error:
            found, headers, body = request.client.error(error, request.rid_hex)
            return found, list(headers), body
        job = msgspec.json.decode(body)["id"]
        return status, [
            ("content-type", "application/json"),
            ("location", f"/v1/jobs/{job}"),
            ("x-pihub-request-id", request.rid_hex),
        ], body  # fmt: skip

    def take(
        self, request: Incoming, span: float, *, soon: bool = False
    ) -> tuple[int, bytes]:
        """(202, the job as JSON). `soon`: it is not for a batch nor for the night, but as soon
        as its target is reached. Raises what the pipeline raises before a call."""
        x, webhook = Exchange(request), request.webhook
        if webhook and webhook not in self._subscribers:
            raise BadRequest(
                "x-pihub-webhook names no [subscribers.NAME] of the configuration",
                param="x-pihub-webhook",
            )
        self._intake(x)
        self._inspect(x)
        self._router(x)
        x.targets = _as_it_is(x)
        if not soon:
            x.targets = preferred(x)
        target = self._first(x)
        now, who = time.time(), request.principal
        job = Job(
            id=_id(request), rid=secrets.randbits(63) | 1 if soon else request.rid,
            tenant=who.tenant, key=who.key,
            route=request.route, protocol=request.client.name, alias=x.alias,
            upstream=target.upstream, model=target.model, created=now, deadline=now + span,
            webhook=webhook, soon=int(soon),
        )  # fmt: skip
        data = msgspec.msgpack.encode(Taken(job, request.body))
        status, body = self._socket.ask("POST", "/jobs", data, request.client_fd)
        if status != 202:
            raise _error(status, body)
        return status, body


    def _first(self, x: Exchange) -> Target:
        """The first target that can be asked this and has room in the budgets: what cannot be
        is better refused now than tomorrow. Both are asked again when it is sent.

        Raises Unsupported, BudgetExceeded and PriceUnknown.
        """
        ask = msgspec.structs.replace(x.parsed(), stream=False, max_tokens=1)
        failed: PihubError | None = None
        for target in x.targets:
            try:
                self._formats[target.kind].request(ask, target.model, stream=False)
                self._purse.take(x, target)
            except (Unsupported, BudgetExceeded) as error:
                if isinstance(error, BudgetExceeded) and not error.goes_on:
                    raise
                failed = failed or error
            else:
                return target
            finally:
                self._purse.settle(x)  # the true cost comes later
        raise failed or ModelNotFound("the model's chain is empty")


def _as_it_is(x: Exchange) -> tuple[Target, ...]:
    """The targets that may get the body as it came: it is kept and sent so.

    Raises PromptWithheld.
    """
    prompt = x.prompt
    if prompt is None:
        return x.targets
    left = tuple(one for one in x.targets if not prompt.hides_from(one))
    if not left:
        raise PromptWithheld(
            "the prompt holds what must be taken out before it leaves the house, which cannot be "
            "done for a deferred request: ask without x-pihub-deadline"
        )
    return left


def preferred(x: Exchange) -> tuple[Target, ...]:
    """In the order of the plan, if the request, its key or its model asks for one; else
    whoever has a batch interface goes before the others."""
    if x.pinned or (x.plan is not None and x.plan.policy not in UNORDERED):
        return x.targets
    return tuple(sorted(x.targets, key=lambda target: target.kind != _BATCHED))


def _id(request: Incoming) -> str:
    """A new one; with an Idempotency-Key always the same, so that a repeat finds the job."""
    if request.once is None:
        return "job_" + secrets.token_hex(16)
    check_once(request.once)
    who = request.principal
    named = f"{who.tenant}\0{who.key}\0{request.once}".encode()
    return "job_" + hashlib.blake2b(named, digest_size=16).hexdigest()


def _error(status: int, body: bytes) -> PihubError:
    """What the control process refused, for the client's own protocol."""
    try:
        said = str(msgspec.json.decode(body).get("title", ""))
    except (msgspec.DecodeError, AttributeError):
        said = ""
    if status == IdempotencyMismatch.status:
        return IdempotencyMismatch(said, param="idempotency-key")
    if status == 503:
        return ControlUnavailable(said or "deferred requests cannot be taken", retry_after=60)
    return Internal("a deferred request was not taken", detail=f"{status} {said}")


class JobList:
    """GET /v1/jobs: the tenant's last hundred, newest first."""

    def __init__(self, socket: JobsSocket, access: Access, waiter: Waiter) -> None:
        self._socket = socket
        self._access = access
        self._waiter = waiter

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._pass("GET", "", req, resp)

    def _pass(self, method: str, id_: str, req: falcon.Request, resp: falcon.Response) -> None:
        env: dict[str, Any] = req.env
        who: Principal = self._access.principal(
            env.get("HTTP_AUTHORIZATION"), env.get("HTTP_X_API_KEY")
        )
        self._access.hit(who)
        self._access.permit(who, env.get("REMOTE_ADDR", ""))
        path = f"/jobs/{who.tenant}/{id_}" if id_ else f"/jobs/{who.tenant}"
        status, body = self._socket.ask(method, path, None, self._waiter.client_fd(env))
        resp.status = status
        resp.content_type = "application/json" if status < 400 else "application/problem+json"
        resp.set_header("x-pihub-request-id", env["pihub.rid_hex"])
        resp.data = body


class OneJob(JobList):
    """GET and DELETE /v1/jobs/ID."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, id_: str = "") -> None:
        self._pass("GET", _sane(id_), req, resp)

    def on_delete(self, req: falcon.Request, resp: falcon.Response, id_: str) -> None:
        self._pass("DELETE", _sane(id_), req, resp)


def _sane(id_: str) -> str:
    """An id that may stand in a path: what is none is asked for as one that nobody has."""
    return id_ if re.fullmatch(r"job_[0-9a-f]{32}", id_) else "none"
