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
    "cache-semantic": "The same question was answered before in other words.",
    "flight-shared": "An identical request was in flight; its answer served both.",
    "stale-meanwhile": "A kept answer past its time, given at once while a new one is fetched.",
    "refreshed": "The hub asked by itself, to replace a kept answer that is past its time.",
    "kept-refusal": "An upstream refused the very same a moment ago and was not asked again.",
    "chain-exhausted": "Every target of the chain failed.",
    "refused": "The hub itself said no: the key, a limit, the size or the input.",
    "failed": "The hub or the only upstream failed.",
    "client-gone": "The client left before the end.",
    "fallback-unreachable": "The target before could not be reached, so the next one was asked.",
    "fallback-timeout": "The target before was too slow, so the next one was asked.",
    "fallback-error": "The target before answered with an error, so the next one was asked.",
    "fallback-busy": "The target before was busy or its queue full, so the next one was asked.",
    "fallback-breaker": "The target before rests after failures, so the next one was asked.",
    "fallback-protocol": "The target before gave a broken answer, so the next one was asked.",
    "fallback-incomplete": "The target before broke off its answer, so the next one was asked.",
    "fallback-rejected": "The target before refused the request, so the next one was asked.",
    "fallback-draft": "The local model's draft did not pass its checks, so the next one was asked.",
    "fallback-context": "The prompt is longer than the target before can read.",
    "unsupported-by-first": "The first target cannot do what was asked for.",
    "hedge-won": "The first target was late; a second one was asked, too, and was faster.",
    "budget-downgrade": "A budget is near its limit, so a cheaper target of the chain answered.",
    "stale-on-error": "The upstream failed, and an old answer was allowed to stand in.",
    "revalidated": "The upstream confirmed the kept answer.",
    "passed-through": "The answer of the API, as it came.",
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
QUEUE, CONNECT, ANSWER = "Wait for a turn", "Connect", "Upstream"
STREAM, SENT = "Stream", "Send and record"
QUESTION = "the question stands nowhere: the hub does not keep it"


def build(
    found: RequestRow, times: RequestTimes, key: str, tenant: str, host: str
) -> Screen:
    """`key`, `tenant`: the names of the key that asked, and of whose it is."""
    told, view = request(found), shown_row(request(found))
    way = steps(found, times)
    parts: list[Part] = [
        Cards(
            (
                Card("Status", view["status"], view["reason"], tone=_tone(view["tone"])),
                Card("Took", view["latency"], "to its last byte"),
                Card("First content", words.milliseconds(told["first_token_ms"]),
                     "since the request came" if told["first_token_ms"] else "not told apart"),
                Card("Cost", view["cost"],
                     f"saved {words.money(told['saved_usd'])}{view['sim'] and ', simulated'}"),
            )
        ),
        Waterfall("Where the time went", tuple(way), found.dur_us, summary(found, way)),
        _decisions(found, told, times, key, tenant),
    ]  # fmt: skip
    curl = as_curl(found, host)
    if curl:
        parts.append(Text("The same again, by curl", curl, pre=True, copy=True))
    return Screen(f"Request {found.rid:016x}", tuple(parts))


def steps(found: RequestRow, times: RequestTimes) -> list[Step]:
    """In the order of the request's way; microseconds from its beginning."""
    if found.route == Route.API and found.upstream:
        return _of_api(found, times)
    stages = [
        ("Read and inspect", times.inspect, "the body becomes the canonical form"),
        ("Cache", times.lookup, "a kept answer, or one that is just being made"),
        ("Route", times.route, "which targets, in which order"),
        *_upstream(found, times, times.call),
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
    name = STREAM if told_stream(found) else SENT
    out.append(Step(name, min(at, found.dur_us), rest, "until the last byte"))
    return out


def _upstream(found: RequestRow, times: RequestTimes, whole: int) -> list[tuple[str, int, str]]:
    """(name, length, note) of the parts of `whole`: waits, connections, first content."""
    if not found.upstream or not found.attempts:
        return [(ANSWER, whole, "nobody was asked")]
    queued = min(times.queued, whole)
    dialed = min(times.dialed, whole - queued)
    again = f", {words.many(found.attempts, 'attempt')} together" if found.attempts > 1 else ""
    return [
        (QUEUE, queued, f"a turn at {found.upstream}, a place in its pool{again}"),
        (CONNECT, dialed, "name, TCP and TLS" if dialed else "a kept connection was used"),
        (ANSWER, whole - queued - dialed, f"{found.upstream}, until its first content{again}"),
    ]


def _of_api(found: RequestRow, times: RequestTimes) -> list[Step]:
    """A generic API has no stages: what its upstream took, and the rest."""
    head = min(found.ttft_us or found.dur_us, found.dur_us)
    out, at = [], 0
    for name, length, note in _upstream(found, times, head):
        out.append(Step(name, at, length, note.replace("first content", "first bytes")))
        at += length
    return [*out, Step(SENT, at, found.dur_us - at, "until the last byte")]


def summary(found: RequestRow, way: list[Step]) -> str:
    """The waterfall in one sentence or two."""
    length = {one.label: one.length for one in way}
    theirs = sum(length.get(name, 0) for name in (CONNECT, ANSWER, STREAM))
    own = found.dur_us - theirs - length.get(QUEUE, 0)
    said = [f"{words.milliseconds(found.dur_us / 1000)} in all"]
    if found.upstream and found.attempts:
        first = words.milliseconds(length.get(ANSWER, 0) / 1000)
        said.append(f"{found.upstream} took {first} to its first content")
    if length.get(STREAM):
        said.append(f"its stream {words.milliseconds(length[STREAM] / 1000)}")
    if length.get(QUEUE):
        said.append(f"waiting for a turn {words.milliseconds(length[QUEUE] / 1000)}")
    if length.get(CONNECT):
        said.append(f"a new connection {words.milliseconds(length[CONNECT] / 1000)}")
    if own > 0:
        said.append(f"the hub itself {words.milliseconds(own / 1000)}")
    if len(said) == 1:
        return f"{said[0]}."
    return f"{said[0]}: {', '.join(said[1:])}."


def told_stream(found: RequestRow) -> bool:
    return bool(request(found)["stream"])


def _attempts(found: RequestRow) -> str:
    if not found.upstream:
        return "nobody was asked"
    return words.many(found.attempts, "attempt")


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
        ("Asked for", model or found.upstream or words.NONE,
         f"by the route {str(told['route']).replace('_', ' ')}", same),
        ("Answered by", str(told["served_by"] or words.NONE), _attempts(found), ""),
        ("Why", reason.replace("-", " "), WHY.get(reason, ""), ""),
        ("Cache", str(told["cache"]).replace("none", "not asked"), "", ""),
        ("Error", str(told["error"] or "none").replace("_", " "), "", ""),
        *_tokens(found, bool(told["estimated"])),
        *_spoken(found),
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


def _tokens(found: RequestRow, estimated: bool) -> tuple[tuple[str, str, str, str], ...]:
    if not found.in_tok and not found.out_tok:
        return ()
    notes = []
    if found.cache_read_tok:
        notes.append(f"{words.count(found.cache_read_tok)} read from the vendor's cache")
    if estimated:
        notes.append("counts are estimates")
    counts = f"{words.count(found.in_tok)} in, {words.count(found.out_tok)} out"
    return (("Tokens", counts, "; ".join(notes), ""),)


def _spoken(found: RequestRow) -> tuple[tuple[str, str, str, str], ...]:
    """How a stream went."""
    if not told_stream(found):
        return ()
    stalls = words.many(found.stalls, "stall") if found.stalls else "no stall"
    return (("Stream", f"{words.rate(pace(found))} tokens/s", stalls, "/dashboard/streams"),)


def pace(found: RequestRow) -> float:
    """Tokens a second after the first content; 0: not known."""
    spoken = found.dur_us - found.ttft_us
    return found.out_tok * 1e6 / spoken if found.ttft_us and spoken > 0 else 0.0


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
