"""The control process's side of deferred requests: a plain WSGI app on a socket of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import msgspec

from pihub.errors import (
    BadRequest,
    IdempotencyMismatch,
    Internal,
    NotFound,
    Overloaded,
    PihubError,
)
from pihub.http.data.chat import STATUS_LINES
from pihub.http.data.errors import problem
from pihub.store.jobs import Job

log = logging.getLogger("pihub.jobs")

LISTED = 100


class Taken(msgspec.Struct):
    """What a worker hands over: a job, and the client's own body."""

    job: Job
    body: bytes


class Working(Protocol):
    """`jobs.service.JobService`."""

    store: Any

    def add(self, job: Job, body: bytes) -> bool: ...
    def room(self, tenant: int) -> bool: ...
    def cancel(self, id_: str, tenant: int | None = None) -> Job | None: ...


def view(job: Job, result: bytes | None = None) -> dict[str, Any]:
    """A job as its owner sees it; times in Unix seconds."""
    state = "in_progress" if job.state in ("sending", "sent", "running") else job.state
    found: dict[str, Any] = {
        "id": job.id,
        "object": "job",
        "status": state,
        "model": job.alias,
        "target": f"{job.upstream}/{job.model}",
        "created_at": int(job.created),
        "deadline_at": int(job.deadline),
        "ended_at": int(job.ended) or None,
        "attempts": job.attempts,
        "error": job.error or None,
        "usage": {"input_tokens": job.input_tokens, "output_tokens": job.output_tokens},
        "cost_usd": None if job.cost < 0 else job.cost / 1e9,
        "webhook": ("waiting", "delivered", "given up")[job.told] if job.webhook else None,
    }
    if result is not None:
        found["result"] = msgspec.Raw(result)
    return found


class JobsApp:
    """From workers alone: whoever may open the socket is the hub's user. The tenant comes
    with each request, and nobody sees another's."""

    def __init__(self, jobs: Working) -> None:
        self._jobs = jobs

    def __call__(
        self, env: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        try:
            status, value = self._answer(env)
            body = msgspec.json.encode(value)
            headers = [("content-type", "application/json")]
        except PihubError as error:
            status, headers, body = problem(error, env.get("HTTP_X_PIHUB_REQUEST_ID", ""))
        except Exception:
            log.exception("a deferred request could not be handled")
            status, headers, body = problem(Internal("the hub failed; its log knows why"), "")
        start_response(STATUS_LINES[status], [*headers, ("content-length", str(len(body)))])
        return [body]

    def _answer(self, env: dict[str, Any]) -> tuple[int, Any]:
        method, path = env.get("REQUEST_METHOD"), str(env.get("PATH_INFO", "")).strip("/")
        if method == "POST" and path == "jobs":
            return self._take(env)
        tenant, _, id_ = path.removeprefix("jobs/").partition("/")
        if not tenant.isdigit():
            raise NotFound("no such route")
        store = self._jobs.store
        if not id_:
            jobs = store.newest(LISTED, int(tenant))
            return 200, {"object": "list", "data": [view(job) for job in jobs]}
        job = store.one(id_, int(tenant))
        if method == "DELETE" and job is not None:
            job = self._jobs.cancel(id_, int(tenant))
        if job is None:
            raise NotFound(f"there is no job {id_[:80]!r}")
        return 200, view(job, store.result(id_) if method == "GET" else None)

    def _take(self, env: dict[str, Any]) -> tuple[int, Any]:
        size = int(env.get("CONTENT_LENGTH") or 0)
        data = env["wsgi.input"].read(size)
        if len(data) < size:
            raise BadRequest("the body is cut off")
        taken = msgspec.msgpack.decode(data, type=Taken)
        job, store = taken.job, self._jobs.store
        if store.one(job.id) is None:
            if not self._jobs.room(job.tenant):
                raise Overloaded(
                    "too many deferred requests wait already (jobs.most)", retry_after=600
                )
            if self._jobs.add(job, taken.body):
                return 202, view(job)
        # A repeat under an Idempotency-Key: there is one job, whatever has become of it.
        if store.body(job.id) != taken.body:
            raise IdempotencyMismatch(
                "this Idempotency-Key was used with another body: repeat the same request, "
                "or choose a new key"
            )
        return 202, view(store.one(job.id))
