"""Is the hub well? One word for the whole, and each reason why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pihub.dashboard import words
from pihub.ops.alerts import AlertService

WELL, LOOK, DOWN, IDLE = "well", "look", "down", "idle"
"""Tones. The page shows each by a word, a shape and a colour."""
SEVERITY = (DOWN, LOOK, IDLE, WELL)
HEADLINES = {WELL: "All is well", LOOK: "Worth a look", DOWN: "Not well"}

LATE_MS = 6_000
"""Processes beat every second or two; one this late is busy or stuck."""
GONE_MS = 20_000
HELD = {"open": "taken out by hand", "closed": "kept in use by hand"}
UPSTREAMS, SYSTEM = "/dashboard/upstreams", "/dashboard/system"
HEALTH = "/dashboard/health"
ACT = {
    "dead_letters": "/dashboard/webhooks?state=dead",
    "budget_soft": "/dashboard/costs",
    "budget_hard": "/dashboard/costs",
    "budget_ask": "/dashboard/costs",
    "budget_hours": "/dashboard/costs",
    "unknown_price": "/dashboard/costs",
    "cache_writes": "/dashboard/costs",
    "temperature": SYSTEM,
    "disk_days": SYSTEM,
    "memory_hours": SYSTEM,
}
"""Where to act on a measure, if that is not the page of health."""
FAILED = "/dashboard/requests?show=errors"
GRAVE = {"critical": DOWN, "warning": LOOK}
"""Tones of severities; others are only mentioned."""
SEEN = frozenset({"breaker_open", "failing", "records_lost", "offline"})
"""Measures of rules that the live picture tells by itself, and sooner."""
BEHIND = 4_096
"""Half a worker's ring of records."""

Alert = dict[str, str]
"""{"tone": ..., "text": ..., "href": where to act}"""


def standing(service: AlertService) -> list[Alert]:
    """Open alerts that nobody cares for and nobody silenced; there is no query."""
    return [
        _alert(
            GRAVE.get(one.row.severity, IDLE),
            one.row.text,
            ACT.get(rule.measure or "", HEALTH),
        )
        for one in service.open()
        if not one.silenced
        and not one.row.acknowledged
        and (rule := service.rules.get(one.row.rule))
        and rule.measure not in SEEN
    ]


def alerts(picture: Mapping[str, Any], more: Iterable[Alert] = ()) -> list[Alert]:
    """What is not as it should be, the worst first; empty if there is nothing to say."""
    found = [
        *more,
        *_upstreams(picture["upstreams"], picture["outage"]["offline"]),
        *_processes(picture["processes"]),
        *_errors(picture["now"]),
        *_records(picture["recorder"], picture["totals"], picture["money"]),
    ]
    return sorted(found, key=lambda one: SEVERITY.index(one["tone"]))


def overall(found: Sequence[Alert]) -> str:
    """The tone of the whole."""
    worst = found[0]["tone"] if found else WELL
    return WELL if worst == IDLE else worst


def upstream_tone(one: Mapping[str, Any], offline: bool = False) -> tuple[str, str]:
    """(tone, word) of an upstream or API."""
    if one.get("held"):
        return LOOK, HELD[one["held"]]
    if offline and one["outside"]:
        return LOOK, "offline, not asked"
    if one["state"] == "open":
        return DOWN, "breaker open"
    if one["state"] == "half-open":
        return LOOK, "trying again"
    if one["failed"]:
        return LOOK, "failing now and then"
    return (WELL, "healthy") if one["ok"] else (IDLE, "not called lately")


def process_tone(one: Mapping[str, Any]) -> tuple[str, str]:
    """(tone, word) of a process by its last sign of life."""
    late = one["beat_age_ms"]
    if late >= GONE_MS:
        return DOWN, f"silent for {words.age(late / 1000)}"
    if late >= LATE_MS:
        return LOOK, f"late by {words.age(late / 1000)}"
    return WELL, "alive"


def _upstreams(all_of_them: Sequence[Mapping[str, Any]], offline: bool) -> list[Alert]:
    """While the hub is offline, breakers of what lies outside say nothing new."""
    found = [one for one in all_of_them if not (offline and one["outside"])]
    targets = [one for one in found if one["kind"] != "api"]
    if targets and all(one["state"] == "open" for one in targets):
        return [_alert(DOWN, "No upstream can be called: all their breakers are open.", UPSTREAMS)]
    out = []
    for one in found:
        if one.get("held"):
            out.append(_alert(LOOK, f"{one['name']} is {HELD[one['held']]}.", UPSTREAMS))
        elif one["state"] == "open":
            text = f"{one['name']} keeps failing; its breaker is open."
            out.append(_alert(LOOK, text, UPSTREAMS))
        elif one["state"] == "half-open":
            out.append(_alert(LOOK, f"{one['name']} failed and is being tried again.", UPSTREAMS))
    return out


def _processes(found: Sequence[Mapping[str, Any]]) -> list[Alert]:
    out = []
    workers = [one for one in found if one["role"] == "worker"]
    if not any(one["beat_age_ms"] < GONE_MS for one in workers):
        out.append(_alert(DOWN, "No worker is alive.", SYSTEM))
    for one in found:
        tone, word = process_tone(one)
        if tone != WELL:
            out.append(_alert(tone, f"{process_name(one)} (pid {one['pid']}) is {word}.", SYSTEM))
    return out


def _errors(now: Mapping[str, Any]) -> list[Alert]:
    failed = round(now["errors_per_min"])
    if not failed:
        return []
    return [_alert(LOOK, f"{words.many(failed, 'request')} failed within the last minute.", FAILED)]


def _records(
    recorder: Mapping[str, Any], totals: Mapping[str, int], money: Mapping[str, Any]
) -> list[Alert]:
    out = []
    lost = max(int(recorder["lost"]), totals["events_lost"])
    if lost:
        out.append(
            _alert(LOOK, f"{words.many(lost, 'request record')} dropped: not in the sums below.")
        )
    said = str(recorder["last_error"])[:200]
    refused = words.many(totals["store_failures"], "write")
    if said:
        out.append(_alert(LOOK, f"The database refused {refused}, which are tried again: {said}"))
    elif totals["store_failures"]:
        out.append(_alert(IDLE, f"The database refused {refused} at first; all is stored now."))
    if recorder["behind"] >= BEHIND:
        out.append(_alert(LOOK, f"{words.many(recorder['behind'], 'record')} wait to be stored."))
    if money["today"] is None:
        out.append(_alert(LOOK, "The database does not answer: money and records are missing."))
    return out


def process_name(one: Mapping[str, Any]) -> str:
    return "Control" if one["role"] == "control" else f"Worker {one['slot']}"


def _alert(tone: str, text: str, href: str = "") -> Alert:
    return {"tone": tone, "text": text, "href": href}
