"""What an answer says about itself: the `x-pihub-*` header fields."""

from __future__ import annotations

from pihub.gateway.exchange import Exchange
from pihub.shared.events import CacheState

_CACHE_WORDS = {
    CacheState.HIT: "HIT; ",
    CacheState.MISS: "MISS; ",
    CacheState.BYPASS: "BYPASS; ",
    CacheState.SHARED: "HIT; ",
    CacheState.STALE: "STALE; ",
}


def explain(x: Exchange) -> list[tuple[str, str]]:
    """Where the answer came from, what it cost, and why."""
    out = [("x-pihub-request-id", x.request.rid_hex)]
    if x.cache is not CacheState.NONE:
        reason = "shared" if x.cache is CacheState.SHARED else x.cache_reason
        out.append(("x-pihub-cache", _CACHE_WORDS[x.cache] + reason))
    target = x.target
    if target is not None:
        out.append(("x-pihub-route", header_text(target.name)))
        out.append(("x-pihub-model", header_text(target.model)))
        if x.usage is not None and x.cost_nano >= 0:
            out.append(("x-pihub-cost", nano_text(x.cost_nano)))
        out.append(("x-pihub-reason", _why(x)))
        if target.simulated:
            out.append(("x-pihub-simulated", "1"))
        if x.notes:
            out.append(("x-pihub-warning", header_text("dropped: " + ", ".join(x.notes))))
        if x.raw_stop:
            out.append(("x-pihub-stop", header_text(x.raw_stop)))
    elif x.stored is not None:
        out.append(("x-pihub-route", header_text(x.stored.route)))
        out.append(("x-pihub-model", header_text(x.stored.model)))
        out.append(("x-pihub-cost", "0"))
        out.append(("x-pihub-reason", "kept answer"))
        if x.stored.simulated:
            out.append(("x-pihub-simulated", "1"))
    elif x.failures:
        out.append(("x-pihub-reason", header_text("; ".join(x.failures))))
    return out


def _why(x: Exchange) -> str:
    """Why this target answered, in a few words."""
    if x.failures:
        return header_text("fallback after " + "; ".join(x.failures))
    return "first choice"


def header_text(text: str) -> str:
    """Printable ASCII, at most 300 characters: safe as a header value."""
    text = text[:300]
    if text.isascii() and text.isprintable():
        return text
    return "".join([c if " " <= c <= "~" else "?" for c in text])


def nano_text(nano: int) -> str:
    """nano-USD as decimal USD without trailing zeros: 1500 -> "0.0000015"."""
    if not nano:
        return "0"
    return f"{nano // 10**9}.{nano % 10**9:09d}".rstrip("0").rstrip(".")
