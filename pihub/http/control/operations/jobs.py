"""/jobs: deferred requests of all tenants, and their end by hand."""

from __future__ import annotations

from pihub.errors import NotFound
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Key, Page, PageQuery
from pihub.http.control.shapes import Output
from pihub.store.jobs import Job

LISTED = 1000


class JobView(Output, frozen=True):
    """A deferred request; times in Unix seconds, null: not yet."""

    id: str
    request_id: str
    state: str
    tenant: int
    key: int
    asked_for: str
    upstream: str
    model: str
    batch: str
    created: float
    deadline: float
    ended: float | None
    attempts: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    error: str


def shown(job: Job) -> JobView:
    return JobView(
        id=job.id,
        request_id=f"{job.rid:016x}",
        state=job.state,
        tenant=job.tenant,
        key=job.key,
        asked_for=job.alias,
        upstream=job.upstream,
        model=job.model,
        batch=job.batch,
        created=job.created,
        deadline=job.deadline,
        ended=job.ended or None,
        attempts=job.attempts,
        input_tokens=job.input_tokens,
        output_tokens=job.output_tokens,
        cost_usd=None if job.cost < 0 else job.cost / 1e9,
        error=job.error,
    )


def _list(call: Call) -> Page[JobView]:
    def key(row: JobView) -> Key:
        return (-int(row.created * 1e6), row.id)

    jobs = call.services.jobs
    found = [] if jobs is None else jobs.store.newest(LISTED, call.actor.tenant)
    return call.pager.whole([shown(job) for job in found], key)


def _one(call: Call) -> JobView:
    jobs = call.services.jobs
    job = None if jobs is None else jobs.store.one(call.path["id"], call.actor.tenant)
    if job is None:
        raise NotFound("there is no such job")
    return shown(job)


def _cancel(call: Call) -> JobView:
    jobs = call.services.jobs
    job = None if jobs is None else jobs.cancel(call.path["id"], call.actor.tenant)
    if job is None:
        raise NotFound("there is no such job")
    return shown(job)


OPERATIONS = (
    Operation(
        "GET",
        "/jobs",
        "requests:read",
        "Deferred requests, the newest thousand, newest first",
        _list,
        Page[JobView],
        query=PageQuery,
        tenanted=True,
    ),
    Operation(
        "GET",
        "/jobs/{id}",
        "requests:read",
        "One deferred request",
        _one,
        JobView,
        errors=(NotFound,),
        tenanted=True,
    ),
    Operation(
        "DELETE",
        "/jobs/{id}",
        "streams:write",
        "Cancels a deferred request; what a batch has already made of it is paid for",
        _cancel,
        JobView,
        errors=(NotFound,),
        tenanted=True,
    ),
)
