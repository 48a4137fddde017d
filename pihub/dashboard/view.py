"""The live picture as the page shows it: texts, tones and rows, ready to be put in place.

The first rendering (templates) and every later change (the feed) take the same values, so
there is one place where a number becomes words. Nothing here is markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pihub.dashboard import words
from pihub.dashboard.verdict import (
    DOWN,
    HEADLINES,
    LOOK,
    WELL,
    Alert,
    alerts,
    overall,
    process_name,
    process_tone,
    upstream_tone,
)

ROWS = 20
"""Recent requests on the overview."""
KINDS = {"api": "API", "webhook": "webhook"}
"""Of routes that lead to no model."""
View = dict[str, Any]
"""{"at", "tone", "texts": {name: text}, "alerts", "upstreams", "processes", "requests": [row]}"""


def view(picture: Mapping[str, Any], standing: Iterable[Alert] = ()) -> View:
    """`picture`: insight.live's document; `standing`: open alerts."""
    found = alerts(picture, standing)
    tone = overall(found)
    outage = picture["outage"]
    headline = HEADLINES[tone]
    if outage["offline"] and tone != DOWN:
        tone, headline = LOOK, "Offline"
    simulated = [one["name"] for one in picture["upstreams"] if one["simulated"]]
    return {
        "at": picture["at"],
        "tone": tone,
        "texts": {
            "headline": headline,
            **_outage(outage, picture["upstreams"], picture["at"]),
            **_traffic(picture),
            **_money(picture),
            **_cache(picture),
            **_foot(picture),
            "simulated": _simulated(simulated),
        },
        "alerts": found,
        "upstreams": [upstream(one, outage["offline"]) for one in picture["upstreams"]],
        "processes": [process(one) for one in picture["processes"]],
        "requests": [row(one) for one in picture["requests"][:ROWS]],
    }


def _traffic(picture: Mapping[str, Any]) -> dict[str, str]:
    now, totals = picture["now"], picture["totals"]
    failed = round(now["errors_per_min"])
    return {
        "rps": words.rate(now["requests_per_s"]),
        "rps_sub": f"{words.many(totals['requests'], 'request')} since start",
        "p50": words.milliseconds(now["p50_ms"]),
        "latency_sub": f"p95 {words.milliseconds(now['p95_ms'])}"
        f" · p99 {words.milliseconds(now['p99_ms'])}",
        "tokens": words.count(now["tokens_per_min"]),
        "tokens_sub": f"first token {words.milliseconds(now['first_token_p50_ms'])}",
        "streams": words.count(totals["streams_open"]),
        "streams_sub": f"{words.count(totals['in_flight'])} in flight",
        "errors": words.count(failed),
        "errors_sub": f"{words.count(totals['refused'])} refused"
        f" · {words.many(totals['fallbacks'], 'fallback')}",
        "errors_tone": LOOK if failed else "",
    }


def _money(picture: Mapping[str, Any]) -> dict[str, str]:
    """Real money stands first; where all is simulated, that stands there, labelled."""
    real, made_up = picture["money"]["today"], picture["money"]["simulated_today"]
    upstreams = [one for one in picture["upstreams"] if one["kind"] != "api"]
    only = bool(upstreams) and all(one["simulated"] for one in upstreams)
    if real is None or made_up is None:
        gone = {"spend": words.NONE, "saved": words.NONE}
        return {**gone, "money_tag": "", "spend_sub": "not known now", "saved_sub": ""}
    if only and not real["cost_usd"]:
        # Nothing real was bought today, so nothing real can have been saved either.
        return {
            "spend": words.money(made_up["cost_usd"]),
            "saved": words.money(made_up["saved_usd"] + real["saved_usd"]),
            "money_tag": "simulated",
            "spend_sub": _unpriced(made_up) or "no real money",
            "saved_sub": "by cache and local models",
        }
    return {
        "spend": words.money(real["cost_usd"]),
        "saved": words.money(real["saved_usd"]),
        "money_tag": "",
        "spend_sub": _unpriced(real) or _beside(made_up["cost_usd"]) or "since midnight",
        "saved_sub": _beside(made_up["saved_usd"]) or "by cache and local models",
    }


def _unpriced(sums: Mapping[str, Any]) -> str:
    number = sums["unpriced_requests"]
    return f"and {words.many(number, 'request')} of unknown price" if number else ""


def _beside(simulated: float) -> str:
    return f"and {words.money(simulated)} simulated" if simulated else ""


def _cache(picture: Mapping[str, Any]) -> dict[str, str]:
    cache = picture["cache"]
    return {
        "hits": words.percent(picture["now"]["hit_rate"]),
        "hits_sub": f"{words.many(cache['entries'], 'answer')} kept, "
        f"{words.size(cache['bytes'])} of {words.size(cache['capacity'])}",
    }


def _foot(picture: Mapping[str, Any]) -> dict[str, str]:
    totals, store = picture["totals"], picture["store"]
    return {
        "uptime": words.age(picture["uptime_s"]),
        "stored": f"{words.many(totals['events_recorded'], 'request')} recorded",
        "store": f"{store['kind']} {words.size(store['bytes'])}" if store else "no answer",
    }


def _outage(
    outage: Mapping[str, Any], upstreams: Sequence[Mapping[str, Any]], now: float
) -> dict[str, str]:
    """Since when the hub is offline and why, who is asked meanwhile, what became of requests."""
    if not outage["offline"]:
        return {"outage": "", "outage_sub": ""}
    since = outage["since"] or now
    why = "nothing outside is reached"
    if outage["mode"] == "on":
        why = "set by hand"
        if outage["until"]:
            why += f", for {words.age(max(0.0, outage['until'] - now))} more"
    here = [one["name"] for one in upstreams if one["kind"] != "api" and not one["outside"]]
    away = [one["name"] for one in upstreams if one["outside"]]
    asked = f"{_listed(away)} {'is' if len(away) == 1 else 'are'} not asked. " if away else ""
    local = _listed([*here, "kept answers"]) if here else "Kept answers"
    answers = outage["answers"]
    so_far = (
        (answers["kept"], "by kept answers past their time"),
        (answers["local"], "by local models instead"),
        (answers["queued"], "queued for later"),
        (answers["refused"], "refused"),
    )
    told = ", ".join(f"{words.count(number)} {what}" for number, what in so_far if number)
    return {
        "outage": f"Offline for {words.age(max(0.0, now - since))}, since "
        f"{words.clock(since)[:5]}: {why}.",
        "outage_sub": f"{asked}{local} serve on."
        + (f" So far {told}." if told else " No request has needed the line yet."),
    }


def _listed(names: Sequence[str]) -> str:
    """a · a and b · a, b and c"""
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def _simulated(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f"{_listed(names)} {'is' if len(names) == 1 else 'are'} simulated"


def upstream(one: Mapping[str, Any], offline: bool = False) -> dict[str, str]:
    """A row of the list of upstreams and APIs."""
    tone, word = upstream_tone(one, offline)
    rate = one["success_rate"]
    return {
        "name": one["name"],
        "kind": "API" if one["kind"] == "api" else one["kind"],
        "sim": "simulated" if one["simulated"] else "",
        "tone": tone,
        "word": word,
        "breaker": "" if one["state"] in word else f"breaker {one['state']}",
        "success": f"{words.percent(rate)} succeed" if rate is not None else "",
        "calls": words.many(one["calls"], "call"),
        "failures": f"{words.count(one['failures'])} failed" if one["failures"] else "",
        "timeouts": words.many(one["timeouts"], "timeout") if one["timeouts"] else "",
    }


def process(one: Mapping[str, Any]) -> dict[str, str]:
    """A row of the table of processes."""
    tone, word = process_tone(one)
    control = one["role"] == "control"
    return {
        "name": process_name(one),
        "tone": tone,
        "word": word,
        "pid": f"pid {one['pid']}",
        "rss": words.size(one["rss_bytes"]),
        "requests": "" if control else words.count(one["requests"]),
        "busy": "" if control else words.count(one["in_flight"]),
        "streams": words.many(one["streams"], "stream") if one["streams"] else "",
    }


def _served(one: Mapping[str, Any]) -> str:
    """What answered; of an API or a webhook, whose name stands before it, only the kind."""
    served = str(one["served_by"])
    if "/" in served:
        return served
    return KINDS.get(one["route"], served or words.NONE) if served else words.NONE


def row(one: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table of requests."""
    status = one["status"]
    tone = DOWN if status >= 500 else LOOK if status >= 400 else WELL
    return {
        "id": one["id"],
        "at": one["at"],
        "time": words.clock(one["at"]),
        "tone": tone,
        "status": str(status),
        "model": one["model"] or one["served_by"] or one["route"].replace("_", " "),
        "served": _served(one),
        "reason": (one["error"] or one["reason"]).replace("_", " ").replace("-", " "),
        "cache": "" if one["cache"] == "none" else one["cache"],
        "latency": words.milliseconds(one["duration_ms"]),
        "cost": words.money(one["cost_usd"]),
        "stream": "stream" if one["stream"] else "",
        "gone": "client left" if one["client_gone"] and one["reason"] != "client-gone" else "",
        "sim": "simulated" if one["simulated"] else "",
    }
