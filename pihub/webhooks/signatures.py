"""Did a sender sign this request? Pure functions over the raw bytes, before any parsing.

Sources: HubSpot "Validating requests" (v1, v2, v3), Stripe "Verify webhook signatures",
GitHub "Validating webhook deliveries", Slack "Verifying requests from Slack", the
Standard Webhooks specification 1.0.

Every comparison takes the same time wherever two values differ. What carries a timestamp
must be at most WINDOW_MS old or ahead; replays within that time, and of senders that
sign no timestamp, are found by their keys (`pihub.webhooks.parse`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from pihub.errors import InvalidSignature, MissingSignature, StaleSignature

WINDOW_MS = 300_000
_MILLIS = re.compile(r"[0-9]{13}")
_SECONDS = re.compile(r"[0-9]{1,11}")
_DECODED = {f"%{ord(char):02X}": char for char in ":/?@!$'()*,;"}
_CODES = re.compile("|".join(_DECODED), re.IGNORECASE)
_MOST = 10
"""Signatures that one header may list; more is not a sender but an attempt."""


class Signed(NamedTuple):
    """What a signature may cover, as it was received."""

    method: str
    url: str
    """Under which the sender knows the hub: the configured one, never a header's."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    now_ms: int


Verify = Callable[[bytes, Signed], None]
"""(secret, request); raises InvalidSignature, which never says what would be right."""


def hubspot(versions: Iterable[str]) -> Verify:
    """The versions that are accepted. A request that carries a v3 signature is judged by
    that alone: stripped down to an older version it could be replayed."""
    accepted = frozenset(versions)

    def verify(secret: bytes, request: Signed) -> None:
        third = request.headers.get("x-hubspot-signature-v3")
        if third is not None and "v3" in accepted:
            _hubspot_v3(secret, request, third)
            return
        given = request.headers.get("x-hubspot-signature", "")
        version = request.headers.get("x-hubspot-signature-version", "v1").lower()
        if version not in accepted or version not in ("v1", "v2"):
            raise MissingSignature("the event's signature has a version that is not accepted")
        source = secret + request.body
        if version == "v2":
            source = secret + request.method.encode() + request.url.encode() + request.body
        _same(hashlib.sha256(source).hexdigest(), given.lower())

    return verify


def _hubspot_v3(secret: bytes, request: Signed, given: str) -> None:
    stamp = request.headers.get("x-hubspot-request-timestamp", "")
    _fresh(int(stamp) if _MILLIS.fullmatch(stamp) else None, request.now_ms)
    # HubSpot documents that it decodes some characters of the URI first; its SDKs do not.
    decoded = _CODES.sub(lambda found: _DECODED[found[0].upper()], request.url)
    for url in dict.fromkeys((request.url, decoded)):
        source = request.method.encode() + url.encode() + request.body + stamp.encode()
        mac = base64.b64encode(hmac.digest(secret, source, "sha256"))
        if hmac.compare_digest(mac, given.encode()):
            return
    raise InvalidSignature("the event's signature is wrong")


def stripe(secret: bytes, request: Signed) -> None:
    """`Stripe-Signature: t=SECONDS,v1=HEX,...` over `t.body`."""
    parts = [part.partition("=") for part in request.headers.get("stripe-signature", "").split(",")]
    stamp = next((value for name, _, value in parts if name.strip() == "t"), "")
    _fresh(_millis(stamp), request.now_ms)
    mac = hmac.digest(secret, stamp.encode() + b"." + request.body, "sha256").hex()
    _any(mac, [value for name, _, value in parts if name.strip() == "v1"])


def github(secret: bytes, request: Signed) -> None:
    """`X-Hub-Signature-256: sha256=HEX` over the body."""
    mac = hmac.digest(secret, request.body, "sha256").hex()
    _same("sha256=" + mac, request.headers.get("x-hub-signature-256", "").lower())


def slack(secret: bytes, request: Signed) -> None:
    """`X-Slack-Signature: v0=HEX` over `v0:SECONDS:body`."""
    stamp = request.headers.get("x-slack-request-timestamp", "")
    _fresh(_millis(stamp), request.now_ms)
    source = b"v0:" + stamp.encode() + b":" + request.body
    mac = hmac.digest(secret, source, "sha256").hex()
    _same("v0=" + mac, request.headers.get("x-slack-signature", ""))


def standard(secret: bytes, request: Signed) -> None:
    """`webhook-signature: v1,BASE64 ...` over `id.SECONDS.body`."""
    stamp = request.headers.get("webhook-timestamp", "")
    _fresh(_millis(stamp), request.now_ms)
    name = request.headers.get("webhook-id", "")
    if not name:
        raise MissingSignature("the event has no webhook-id")
    listed = request.headers.get("webhook-signature", "").split(" ")
    _any(standard_signature(secret, name, stamp, request.body), listed)


def standard_signature(secret: bytes, name: str, stamp: str, body: bytes) -> str:
    """The `webhook-signature` of Standard Webhooks: also what the hub sends."""
    source = name.encode() + b"." + stamp.encode() + b"." + body
    return "v1," + base64.b64encode(hmac.digest(standard_key(secret), source, "sha256")).decode()


def standard_key(secret: bytes) -> bytes:
    """`whsec_BASE64` to its bytes; another secret is its own bytes."""
    if not secret.startswith(b"whsec_"):
        return secret
    try:
        return base64.b64decode(secret[6:], validate=True)
    except binascii.Error:
        return secret


PLAIN: Mapping[str, Verify] = {
    "stripe": stripe,
    "github": github,
    "slack": slack,
    "standard": standard,
}


def verifier(kind: str, versions: Iterable[str] = ()) -> Verify:
    """Of a `[webhooks.NAME]` kind. Raises KeyError for an unknown one."""
    return hubspot(versions) if kind == "hubspot" else PLAIN[kind]


def _millis(seconds: str) -> int | None:
    return int(seconds) * 1000 if _SECONDS.fullmatch(seconds) else None


def _fresh(stamp_ms: int | None, now_ms: int) -> None:
    if stamp_ms is None:
        raise MissingSignature("the event has no valid timestamp")
    if abs(now_ms - stamp_ms) > WINDOW_MS:
        raise StaleSignature("the event's timestamp is more than five minutes off")


def _same(wanted: str, given: str) -> None:
    if not given:
        raise MissingSignature("the event has no signature")
    if not hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace")):
        raise InvalidSignature("the event's signature is wrong")


def _any(wanted: str, listed: list[str]) -> None:
    if not any(listed):
        raise MissingSignature("the event has no signature")
    # All are compared, so that the time does not tell which came near.
    found = [
        hmac.compare_digest(wanted.encode(), one.encode("utf-8", "replace"))
        for one in listed[:_MOST]
    ]
    if not any(found):
        raise InvalidSignature("the event's signature is wrong")
