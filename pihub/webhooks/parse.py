"""A verified body to events: what they are about, when they happened, what makes them one.

HubSpot's event ids are not unique and its retries change `attemptNumber`: an event is
known by portal, subscription, object, id, time and what it says. Other senders give
each event an id of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pihub.errors import BadRequest, TooLarge
from pihub.shared.jsonscan import measure

BATCH = 100
"""Events of one request, at most (HubSpot's own bound)."""
LONGEST = 256
"""Characters of an object's name and of a type."""
DEEPEST = 64
MOST_VALUES = 100_000
"""Of a request, before it is parsed. RAM: 10 MB."""
PRIVACY = "contact.privacyDeletion"


class HookEvent(NamedTuple):
    """One event. RAM: its body and some 400 bytes."""

    key: bytes
    """16 bytes: equal for the same event sent twice."""
    object: str
    """What it is about; events of one object are delivered in order."""
    kind: str
    at_ms: int
    """When it happened, by its sender; of reception where that is not told."""
    body: str
    """Its JSON."""


class Batch(NamedTuple):
    """What one request brought."""

    events: list[HookEvent]
    """In the order of object and time."""
    answer: bytes = b""
    """A body that the sender wants to see (Slack's challenge); no events then."""


def hubspot(source: str, headers: Mapping[str, str], body: bytes, now_ms: int) -> Batch:
    found = _json(body)
    items = found if isinstance(found, list) else [found]
    if len(items) > BATCH:
        raise TooLarge(f"a batch has at most {BATCH} events")
    events = []
    for item in items:
        if not isinstance(item, dict):
            raise BadRequest("an event must be a JSON object")
        kind = _text(item, "subscriptionType") or _text(item, "eventType") or "unknown"
        number = _text(item, "objectId") or _text(item, "fromObjectId")
        family = kind.partition(".")[0]
        if family == "object":
            family = _text(item, "objectTypeId") or family
        name = f"{_text(item, 'portalId')}/{OBJECT_TYPES.get(family, family)}/{number}"
        without = {k: v for k, v in item.items() if k != "attemptNumber"}
        events.append(
            HookEvent(
                _digest(source, json.dumps(without, sort_keys=True, separators=(",", ":"))),
                name[:LONGEST],
                kind[:LONGEST],
                _time(item.get("occurredAt"), 1, now_ms),
                json.dumps(item, separators=(",", ":")),
            )
        )
    return Batch(sorted(events, key=lambda event: (event.object, event.at_ms)))


OBJECT_TYPES = {"0-1": "contact", "0-2": "company", "0-3": "deal", "0-5": "ticket",
                "0-7": "product", "0-8": "line_item"}  # fmt: skip
"""HubSpot's numbers of the objects that have subscriptions of their own too."""


def stripe(source: str, headers: Mapping[str, str], body: bytes, now_ms: int) -> Batch:
    item = _object(body)
    about = item.get("data")
    about = about.get("object") if isinstance(about, dict) else None
    name = _text(about, "id") if isinstance(about, dict) else ""
    return _one(source, _text(item, "id"), name, _text(item, "type"), item,
                _time(item.get("created"), 1000, now_ms))  # fmt: skip


def github(source: str, headers: Mapping[str, str], body: bytes, now_ms: int) -> Batch:
    item = _object(body)
    about = item.get("repository")
    name = _text(about, "full_name") if isinstance(about, dict) else ""
    kind = headers.get("x-github-event", "")
    action = _text(item, "action")
    return _one(source, headers.get("x-github-delivery", ""), name,
                f"{kind}.{action}" if action else kind, item, now_ms)  # fmt: skip


def slack(source: str, headers: Mapping[str, str], body: bytes, now_ms: int) -> Batch:
    item = _object(body)
    if item.get("type") == "url_verification":
        return Batch([], json.dumps({"challenge": _text(item, "challenge")}).encode())
    event = item.get("event")
    event = event if isinstance(event, dict) else {}
    return _one(source, _text(item, "event_id"), _text(event, "channel"), _text(event, "type"),
                item, _time(item.get("event_time"), 1000, now_ms))  # fmt: skip


def standard(source: str, headers: Mapping[str, str], body: bytes, now_ms: int) -> Batch:
    item = _object(body)
    about = item.get("data")
    name = _text(about, "id") if isinstance(about, dict) else ""
    return _one(source, headers.get("webhook-id", ""), name, _text(item, "type"), item,
                _time(headers.get("webhook-timestamp"), 1000, now_ms))  # fmt: skip


Parse = Callable[[str, Mapping[str, str], bytes, int], Batch]
PARSERS: Mapping[str, Parse] = {
    "hubspot": hubspot,
    "stripe": stripe,
    "github": github,
    "slack": slack,
    "standard": standard,
}
"""(name of the webhook, header fields, body, now in ms); raise BadRequest, TooLarge."""
FIELDS = ("x-github-event", "x-github-delivery", "webhook-id", "webhook-timestamp")
"""Header fields that parsers read."""


def _one(
    source: str, number: str, name: str, kind: str, item: dict[str, Any], at_ms: int
) -> Batch:
    body = json.dumps(item, separators=(",", ":"))
    # Without an id the content is one.
    key = _digest(source, number or body)
    return Batch([HookEvent(key, name[:LONGEST], (kind or "unknown")[:LONGEST], at_ms, body)])


def _digest(source: str, text: str) -> bytes:
    return hashlib.blake2b(f"{source}\0{text}".encode(), digest_size=16).digest()


def _json(body: bytes) -> Any:
    if measure(body, DEEPEST, MOST_VALUES):
        raise BadRequest(
            f"the events are nested deeper than {DEEPEST} or have over {MOST_VALUES} values"
        )
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the events are not JSON") from None


def _object(body: bytes) -> dict[str, Any]:
    found = _json(body)
    if not isinstance(found, dict):
        raise BadRequest("the event must be a JSON object")
    return found


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    # A lone surrogate is JSON, and no text that a database takes.
    return str(value).encode("utf-8", "replace").decode()


def _time(value: object, unit: int, now_ms: int) -> int:
    """Milliseconds; of the future (a sender's clock) is cut to now."""
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        return now_ms
    return min(int(text) * unit, now_ms)
