"""One recorded request: where its time went, why it was answered so, how to ask it again."""

from __future__ import annotations

import json
import shlex
from urllib.parse import quote

from pihub.dashboard import words
from pihub.dashboard.parts import (
    Card,
    Cards,
    Cell,
    Line,
    Part,
    Screen,
    Step,
    Table,
    Text,
    Tone,
    Waterfall,
)
from pihub.dashboard.view import row as shown_row
from pihub.insight.live import request
from pihub.shared.metrics import Route
from pihub.store.rows import RequestRow, RequestTimes

WHY = {
    "first-choice": "The first target of the chain answered.",
    "cache-exact": "The same bytes were answered before: the edge sent that answer.",
    "cache-canonical": "The same question was answered before, in whatever protocol.",
    "flight-shared": "An identical request was in flight; its answer served both.",
    "chain-exhausted": "Every target of the chain failed.",
    "refused": "The hub itself said no: the key, a limit, the size or the input.",
    "failed": "The hub or the only upstream failed.",
    "client-gone": "The client left before the end.",
}
"""Plain words for x-pihub-reason; other reasons speak for themselves."""
CHATS = {
    Route.OPENAI_CHAT: "/v1/chat/completions",
    Route.ANTHROPIC_MESSAGES: "/v1/messages",
    Route.OLLAMA_CHAT: "/api/chat",
}
PROMPTS = {
    Route.OPENAI_COMPLETIONS: ("/v1/completions", "prompt"),
    Route.OPENAI_RESPONSES: ("/v1/responses", "input"),
    Route.OPENAI_EMBEDDINGS: ("/v1/embeddings", "input"),
    Route.OLLAMA_GENERATE: ("/api/generate", "prompt"),
    Route.OLLAMA_EMBED: ("/api/embed", "input"),
}
QUESTION = "the question stands nowhere: the hub does not keep it"


def build(
    found: RequestRow, times: RequestTimes, key: str, tenant: str, host: str
) -> Screen:
    """`key`, `tenant`: the names of the key that asked, and of whose it is."""
    told, view = request(found), shown_row(request(found))
    parts: list[Part] = [
        Cards(
            (
                Card("Status", view["status"], view["reason"], tone=_tone(view["tone"])),
                Card("Took", view["latency"], "to its last byte"),
                Card("First content", words.milliseconds(told["first_token_ms"]),
                     "since the request came"),
                Card("Cost", view["cost"],
                     f"saved {words.money(told['saved_usd'])}{view['sim'] and ', simulated'}"),
            )
        ),
        Waterfall(
            "Where the time went",
            tuple(steps(found, times)),
            found.dur_us,
            "The edge answered by itself: no stage took part." if not any(times[:5]) else "",
        ),
        _decisions(found, told, times, key, tenant),
    ]  # fmt: skip
    curl = as_curl(found, host)
    if curl:
        parts.append(Text("The same again, by curl", curl, pre=True, copy=True))
    return Screen(f"Request {found.rid:016x}", tuple(parts))


def steps(found: RequestRow, times: RequestTimes) -> list[Step]:
    """In the order of the request's way; microseconds from its beginning."""
    stages = [
        ("Read and inspect", times.inspect, "the body becomes the canonical form"),
        ("Cache", times.lookup, "a kept answer, or one that is just being made"),
        ("Route", times.route, "which targets, in which order"),
        ("Upstream", times.call, _attempts(found)),
    ]
    known = sum(length for _, length, _ in stages)
    until = found.ttft_us or (known + times.render)
    edge = max(0, min(until, found.dur_us) - known - (0 if found.ttft_us else times.render))
    if not known:
        return [Step("Edge", 0, found.dur_us, _edge(found))]
    out, at = [Step("Edge and admission", 0, edge, "key, limits, size, scan, exact cache")], edge
    for name, length, note in stages:
        out.append(Step(name, at, length, note))
        at += length
    out.append(Step("Render", at, times.render, "into the client's protocol"))
    at += times.render
    rest = max(0, found.dur_us - at)
    name = "Stream" if told_stream(found) else "Send and record"
    out.append(Step(name, min(at, found.dur_us), rest, "until the last byte"))
    return out


def told_stream(found: RequestRow) -> bool:
    return bool(request(found)["stream"])


def _attempts(found: RequestRow) -> str:
    if not found.upstream:
        return "nobody was asked"
    tries = words.many(found.attempts, "attempt")
    return f"{found.upstream}: queue, connection and wait for its first content; {tries}"


def _edge(found: RequestRow) -> str:
    return "a kept answer" if request(found)["cache"] == "hit" else "refused or passed through"


def _decisions(
    found: RequestRow, told: dict[str, object], times: RequestTimes, key: str, tenant: str
) -> Table:
    reason = str(told["reason"])
    model = str(told["model"])
    same = f"/dashboard/requests?model={quote(model)}" if model else ""
    lines = (
        ("When", words.moment(found.ts_ns / 1e9), f"request id {found.rid:016x}", ""),
        ("Asked for", model or str(told["route"]).replace("_", " "),
         f"by {str(told['route']).replace('_', ' ')}", same),
        ("Answered by", str(told["served_by"] or words.NONE), _attempts(found), ""),
        ("Why", reason.replace("-", " "), WHY.get(reason, ""), ""),
        ("Cache", str(told["cache"]), "", ""),
        ("Error", str(told["error"] or "none").replace("_", " "), "", ""),
        ("Tokens", f"{words.count(found.in_tok)} in, {words.count(found.out_tok)} out",
         f"{words.count(found.cache_read_tok)} read from the vendor's cache"
         + ("; counts are estimates" if told["estimated"] else ""), ""),
        ("Bytes", f"{words.size(times.bytes_in)} in, {words.size(times.bytes_out)} out", "", ""),
        ("Key", key, f"of the tenant {tenant}" if tenant else "",
         f"/dashboard/requests?key={found.key}" if found.key else ""),
    )  # fmt: skip
    return Table(
        "What was decided",
        ("What", "Value", "Note"),
        tuple(Line((Cell(a), Cell(b, href=href), Cell(c))) for a, b, c, href in lines),
        "",
        links=(("Back to the requests", "/dashboard/requests"),),
    )


def as_curl(found: RequestRow, host: str) -> str:
    """A command like the request, with a variable where the key was; "" for other routes.

    What was asked is not recorded, so a placeholder stands in its place.
    """
    try:
        route = Route(found.route)
    except ValueError:
        return ""
    model = found.alias or found.model or "assistant"
    body: dict[str, object] = {"model": model}
    if route in CHATS:
        path = CHATS[route]
        body["messages"] = [{"role": "user", "content": QUESTION}]
        if route == Route.ANTHROPIC_MESSAGES:
            body["max_tokens"] = 500
    elif route in PROMPTS:
        path, name = PROMPTS[route]
        body[name] = QUESTION
    else:
        return ""
    if told_stream(found):
        body["stream"] = True
    lines = [
        f"curl -i {shlex.quote(host + path)}",
        '-H "Authorization: Bearer $PIHUB_KEY"',
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(json.dumps(body))}",
    ]
    return " \\\n  ".join(lines)


def _tone(word: str) -> Tone:
    return "look" if word in ("look", "down") else ""
