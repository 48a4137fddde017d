"""What an answer says about itself: the `x-pihub-*` header fields."""

from __future__ import annotations

from time import monotonic

from pihub.domain.http_fields import header_text
from pihub.gateway.exchange import Exchange
from pihub.shared.events import CacheState

_CACHE_WORDS = {
    CacheState.HIT: "HIT; ",
    CacheState.MISS: "MISS; ",
    CacheState.BYPASS: "BYPASS; ",
    CacheState.SHARED: "HIT; ",
    CacheState.STALE: "STALE; ",
    CacheState.NEGATIVE: "NEGATIVE; ",
}
_FIRST_CHOICE = ("x-pihub-reason", "first choice")
_PINNED = ("x-pihub-reason", "its signed thinking is this model's")
_STOPS = {
    word: ("x-pihub-stop", word)
    for word in ("stop", "length", "tool_calls", "end_turn", "max_tokens", "tool_use")
}


def explain(x: Exchange) -> list[tuple[str, str]]:
    """Where the answer came from, what it cost, and why."""
    out = [("x-pihub-request-id", x.request.rid_hex)]
    if x.cache is not CacheState.NONE:
        reason = x.cache_reason
        if x.cache is CacheState.SHARED and reason == "canonical":
            reason = "shared"
        out.append(("x-pihub-cache", _CACHE_WORDS[x.cache] + reason))
    target = x.target
    if x.prompt is not None:
        told = x.prompt.told(target if x.error is None else None)
        if told:
            out.append(("x-pihub-prompt", told))
    if target is not None:
        out += target.shown
        if x.usage is not None and x.cost_nano >= 0:
            out.append(("x-pihub-cost", nano_text(x.cost_nano)))
        if x.failures:
            why = "fallback after " + "; ".join((*x.failures, *([x.hedge] if x.hedge else [])))
            out.append(("x-pihub-reason", header_text(why)))
        elif x.pinned:
            out.append(_PINNED)
        elif x.plan is not None:
            note = f"; {x.plan.note}" if x.plan.note else ""
            out.append(("x-pihub-reason", header_text(x.plan.reason + note)))
        else:
            out.append(_FIRST_CHOICE)
        if x.plan is not None:
            predicted = x.plan.predicted_ms.get(target.name)
            if predicted is not None:
                out.append(("x-pihub-predicted-ms", str(round(predicted))))
            if x.pieces is None:
                out.append(("x-pihub-took-ms", str(round((monotonic() - x.plan.began) * 1000))))
            if x.plan.waited_ms:
                out.append(("x-pihub-queue-ms", str(x.plan.waited_ms)))
        if x.notes:
            out.append(("x-pihub-warning", header_text("dropped: " + ", ".join(x.notes))))
        if x.raw_stop:
            out.append(_STOPS.get(x.raw_stop) or ("x-pihub-stop", header_text(x.raw_stop)))
    elif x.follows is not None:
        source = x.follows.source
        out.append(("x-pihub-route", header_text(source.route)))
        out.append(("x-pihub-model", header_text(source.model)))
        out.append(("x-pihub-cost", "0"))
        out.append(("x-pihub-reason", "an answer under way"))
        if source.simulated:
            out.append(("x-pihub-simulated", "1"))
    elif x.stored is not None:
        out.append(("x-pihub-route", header_text(x.stored.route)))
        out.append(("x-pihub-model", header_text(x.stored.model)))
        out.append(("x-pihub-cost", "0"))
        alike = x.cache_reason.startswith("semantic ")
        why = "kept answer to the same question in other words" if alike else "kept answer"
        out.append(("x-pihub-reason", why))
        if x.stored.simulated:
            out.append(("x-pihub-simulated", "1"))
    elif x.failures:
        out.append(("x-pihub-reason", header_text("; ".join(x.failures))))
    return out


def nano_text(nano: int) -> str:
    """nano-USD as decimal USD without trailing zeros: 1500 -> "0.0000015"."""
    if not nano:
        return "0"
    return f"{nano // 10**9}.{nano % 10**9:09d}".rstrip("0").rstrip(".")
