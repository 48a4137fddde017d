"""The decisions of a shared HTTP cache (RFC 9111), as pure functions.

Field names are in lower case throughout; `now` is wall-clock Unix seconds, used only
against the upstream's Date and Expires. How long an entry lies here is measured by
the monotonic clock elsewhere, because a Pi's wall clock may jump.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple

from pihub.domain.ports import Headers
from pihub.gateway.api.directives import Directives
from pihub.gateway.api.headers import field
from pihub.gateway.api.http_date import parse_date

_BY_DEFAULT: Final = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
"""Statuses cacheable without explicit freshness (RFC 9110 section 15.1), but 206."""
_UNDERSTOOD: Final = _BY_DEFAULT | {302, 303, 307, 400, 403}
REFUSALS: Final = frozenset({404, 410})
"""An entry of these is a negative one: there is nothing here."""
FOR_VALIDATION: Final = 86400.0
"""Seconds beyond its freshness that an entry with a validator is kept."""
_DELTA = re.compile(r"[0-9]{1,10}")


class Plan(NamedTuple):
    """How long an answer may be used. Seconds."""

    lifetime: float
    """Freshness lifetime, from the moment of generation."""
    age: float
    """Its age when it was received."""
    keep: float
    """How long beyond its freshness it is worth keeping."""
    strict: bool
    """Never to be used stale (must-revalidate and kin)."""
    always_validate: bool
    """`no-cache`: to be validated before each use."""
    stale_if_error: float
    stale_while_revalidate: float


def may_be_looked_up(method: str, headers: Headers) -> str:
    """"" if the cache may be asked for this request, else why not.

    Ranges and preconditions other than the cache's own go to the origin.
    """
    if method not in ("GET", "HEAD"):
        return "method"
    for name, _ in headers:
        if name in ("range", "if-match", "if-unmodified-since", "if-range"):
            return name
    if "no-store" in Directives(headers):
        return "no-store"
    return ""


def plan(
    status: int,
    headers: Headers,
    *,
    now: float,
    delay: float,
    default_ttl: float,
    stale_if_error: float,
    stale_while_revalidate: float = 0.0,
    negative_ttl: float = 0.0,
    authorized: bool,
) -> Plan | str:
    """How an answer to a GET may be stored, or why not (RFC 9111 section 3).

    `delay`: seconds between request and answer. `authorized`: the request held
    credentials in the sense of section 3.5. `default_ttl`, `stale_if_error`
    and `stale_while_revalidate`: what the configuration says where the answer says nothing;
    `negative_ttl` takes their place for `REFUSALS`.
    """
    said = Directives(headers)
    if negative_ttl and status in REFUSALS:
        default_ttl, stale_if_error, stale_while_revalidate = negative_ttl, 0.0, 0.0
    refusal = _refusal(status, headers, said, authorized)
    if refusal:
        return refusal
    lifetime = _lifetime(status, headers, said, now, default_ttl)
    validator = any(name in ("etag", "last-modified") for name, _ in headers)
    # s-maxage says proxy-revalidate too (section 5.2.2.10).
    strict = any(
        name in said for name in ("must-revalidate", "proxy-revalidate", "s-maxage", "no-cache")
    )
    on_error = said.seconds("stale-if-error")
    meanwhile = said.seconds("stale-while-revalidate")
    # The configuration lengthens a freshness; it gives none to what has none.
    unsaid = stale_while_revalidate if lifetime > 0 else 0.0
    refreshing = unsaid if meanwhile is None else float(meanwhile)
    tolerance = 0.0 if strict else float(stale_if_error if on_error is None else on_error)
    keep = max(FOR_VALIDATION if validator else 0.0, tolerance, 0 if strict else refreshing)
    age = _age(headers, now, delay)
    if lifetime - age <= 0 and not keep:
        return "no freshness"
    return Plan(
        lifetime, age, keep, strict, "no-cache" in said, tolerance, 0 if strict else refreshing
    )


def _refusal(status: int, headers: Headers, said: Directives, authorized: bool) -> str:
    if status not in _UNDERSTOOD:
        return f"status {status}"
    for name in ("no-store", "private"):
        if name in said and not (name == "no-store" and "must-understand" in said):
            return name
    if authorized and not any(n in said for n in ("public", "must-revalidate", "s-maxage")):
        return "authorization"
    for name, value in headers:
        if name == "set-cookie":
            return "set-cookie"
        if name == "vary" and "*" in value:
            return "vary *"
    return ""


def _lifetime(
    status: int, headers: Headers, said: Directives, now: float, default_ttl: float
) -> float:
    for name in ("s-maxage", "max-age"):
        seconds = said.seconds(name)
        if seconds is not None:
            return float(seconds)
    expires = field(headers, "expires")
    if expires is not None:
        until = parse_date(expires)
        begin = parse_date(field(headers, "date") or "")
        # An invalid date, as the popular "0", means: already over.
        return 0.0 if until is None else max(0.0, until - (now if begin is None else begin))
    return default_ttl if status in _BY_DEFAULT and "no-cache" not in said else 0.0


def _age(headers: Headers, now: float, delay: float) -> float:
    """Section 4.2.3, corrected_initial_age."""
    told = (field(headers, "age") or "").partition(",")[0].strip()
    age_value = int(told) if _DELTA.fullmatch(told) else 0
    date = parse_date(field(headers, "date") or "")
    apparent = 0.0 if date is None else max(0.0, now - date)
    # Dates have whole seconds: below one it says nothing.
    return max(apparent if apparent >= 1 else 0.0, age_value + delay)


class Use(Enum):
    """What may be done with a stored answer."""

    SERVE = "serve"
    SERVE_STALE = "serve stale"
    REFRESH = "refresh"
    """Stale within stale-while-revalidate: serve, if another is already validating."""
    VALIDATE = "validate"


def usable(request: Headers, stored: Plan, resident: float) -> Use:
    """May a stored answer be used for `request` (sections 4.2, 5.2.1)?

    `resident`: seconds since it was stored.
    """
    asked = Directives(request)
    if "no-cache" in asked or stored.always_validate:
        return Use.VALIDATE
    if not asked and "no-cache" in (field(request, "pragma") or "").lower():
        return Use.VALIDATE
    age = stored.age + resident
    max_age = asked.seconds("max-age")
    if max_age is not None and age > max_age:
        return Use.VALIDATE
    left = stored.lifetime - age
    if left > (asked.seconds("min-fresh") or 0):
        return Use.SERVE
    if left > 0 or stored.strict:
        return Use.VALIDATE
    if "max-stale" in asked and (
        asked.bare("max-stale") or -left <= (asked.seconds("max-stale") or 0)
    ):
        return Use.SERVE_STALE
    return Use.REFRESH if -left <= stored.stale_while_revalidate else Use.VALIDATE


def usable_on_error(request: Headers, stored: Plan, resident: float) -> bool:
    """May it be used because the upstream failed (RFC 5861 section 4)?"""
    asked = Directives(request)
    if stored.strict or stored.always_validate or "no-cache" in asked:
        return False
    past = stored.age + resident - stored.lifetime
    window = max(stored.stale_if_error, asked.seconds("stale-if-error") or 0)
    return past <= window


def vary_names(headers: Headers) -> tuple[str, ...]:
    """The request fields that select the answer, sorted, in lower case."""
    text = field(headers, "vary")
    if not text:
        return ()
    return tuple(sorted({part.strip().lower() for part in text.split(",") if part.strip()}))
