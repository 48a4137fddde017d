"""Alerts on their way to subscribers: events of the hub's own, delivered like any other."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pihub.compose.webhooks import ControlWebhooks
    from pihub.ops.alerts import Tell, Word


def teller(webhooks: ControlWebhooks, public_url: str) -> Tell:
    """Call it after `webhooks.start`."""
    service = webhooks.service

    def tell(word: Word) -> bool:
        if service is None:
            return True
        row = word.alert
        body = {
            "alert": row.id,
            "rule": row.rule,
            "subject": row.subject,
            "subject_name": word.subject or row.subject,
            "severity": row.severity,
            "state": "open" if row.open else "closed",
            "text": row.text,
            "value": row.value,
            "opened": row.opened,
            "closed": row.closed or None,
            "times": row.times,
            "word": word.number,
            "page": f"{public_url.rstrip('/')}/dashboard/health" if public_url else None,
        }
        # The time of its opening too: a new control database counts from 1 again.
        named = f"alert\0{row.id}\0{row.opened}\0{word.number}".encode()
        return service.announce(
            word.kind,
            f"{row.rule}/{row.subject}",
            word.at * 1000,
            json.dumps(body, ensure_ascii=False),
            hashlib.blake2b(named, digest_size=16).digest(),
        )

    return tell
