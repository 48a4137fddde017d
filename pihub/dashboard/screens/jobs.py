"""Deferred: requests that may take their time, and what became of them."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pihub.dashboard import words
from pihub.dashboard.parts import Action, Card, Cards, Cell, Line, Screen, Table, Tone
from pihub.dashboard.sources import Sources
from pihub.store.jobs import Job

LISTED = 200
_TONES: dict[str, Tone] = {
    "done": "well", "failed": "down", "expired": "down", "cancelled": "idle",
}  # fmt: skip


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    jobs = sources.services.jobs
    rows = [] if jobs is None else jobs.store.newest(LISTED, sources.tenant)
    names = {key.id: key.name for key in sources.known_keys()}
    waiting = [job for job in rows if not job.over]
    spent = sum(max(job.cost, 0) for job in rows)
    batched = sum(bool(job.batch) for job in rows)
    offline = sum(bool(job.soon) for job in waiting)
    failed = sum(job.state in ("failed", "expired") for job in rows)
    return Screen(
        "Deferred requests",
        (
            Cards(
                (
                    Card("Waiting", words.count(len(waiting)),
                         f"{words.count(offline)} until the hub is online" if offline
                         else f"of the newest {LISTED}"),
                    Card("Done", words.count(sum(job.state == "done" for job in rows)),
                         f"of the newest {LISTED}"),
                    Card("Failed or too late", words.count(failed), f"of the newest {LISTED}",
                         tone="look" if failed else ""),
                    Card("Cost", words.money(spent / 1e9), _priced(batched, len(rows))),
                )
            ),
            Table(
                "Newest",
                ("Request", "Asked by", "State", "Runs on", "#Waited", "#Tokens", "#Cost"),
                tuple(_line(job, names) for job in rows),
                "Nothing was deferred. A chat with the header x-pihub-deadline: 24h is, and, while "
                "the hub is offline, one with x-pihub-offline: queue.",
            ),
        ),
        refresh=10,
    )  # fmt: skip


def _priced(batched: int, number: int) -> str:
    """Only a batch is cheaper; what waited for the night or for the line is not."""
    if not number:
        return "nothing yet"
    if batched in (0, number):
        return "at the batch price" if batched else "at the usual price"
    return f"{words.count(batched)} of {words.count(number)} at the batch price"


def _way(job: Job) -> str:
    if job.batch:
        return f"{job.upstream} in a batch"
    return f"{job.upstream}, asked while offline" if job.soon else job.upstream


def _line(job: Job, names: Mapping[int, str]) -> Line:
    cancel = Action(
        "Cancel", "DELETE", f"/jobs/{job.id}", permission="streams:write",
        sure="Cancel this request? What a batch has made of it is paid for all the same.",
    )  # fmt: skip
    until = job.ended or time.time()
    return Line(
        (
            Cell(job.alias, id=job.id),
            Cell(names.get(job.key, "nobody")),
            Cell(job.state, job.error, tone=_TONES.get(job.state, "")),
            Cell(job.model, _way(job)),
            Cell(words.age(max(0.0, until - job.created))),
            Cell(words.count(job.input_tokens + job.output_tokens)),
            Cell("unknown" if job.cost < 0 else words.money(job.cost / 1e9)),
        ),
        () if job.over else (cancel,),
    )
