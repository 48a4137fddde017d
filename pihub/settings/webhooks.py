"""Webhooks: who may send events here, and where they go."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pihub.settings.section import Positive, Seconds, Section

SIGNATURES = ("v1", "v2", "v3")
Concurrency = Annotated[int, msgspec.Meta(ge=1, le=32)]


class Webhook(Section, frozen=True):
    """A sender, which posts to `/webhooks/NAME`."""

    kind: Literal["hubspot", "stripe", "github", "slack", "standard"]
    secret_env: str = ""
    secret_file: str = ""
    tenant: str = ""
    """Whose events these are: that tenant's people see them. Empty: the house's alone."""
    signatures: list[str] = msgspec.field(default_factory=lambda: list(SIGNATURES))
    """HubSpot only: the versions that are accepted."""
    max_body: str = "1MB"
    settle: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    """How long an event waits for older ones of its object that may still arrive."""
    keep_days: Annotated[int, msgspec.Meta(ge=2, le=365)] = 7


class Delivery(Section, frozen=True):
    """How hard one target is tried."""

    attempts: Positive = 20
    backoff: Seconds = 1.0
    """Before the second attempt; doubled each time, with full jitter."""
    max_backoff: Seconds = 3600.0
    failures: Positive = 5
    """In a row, for the target to be left alone."""
    pause: Seconds = 10.0
    """For so long, before one call may try again."""


class Subscriber(Section, frozen=True):
    """An HTTP target of events."""

    url: str
    secret_env: str = ""
    secret_file: str = ""
    sources: list[str] = []
    types: list[str] = []
    timeout: Seconds = 10.0
    concurrency: Concurrency = 4
    ca_file: str = ""
    delivery: Delivery = Delivery()


class Action(Section, frozen=True):
    """What the hub itself does with an event: fetch, ask a model, write back."""

    api: str
    """Of [apis.NAME]."""
    write: str
    """Path below the API's prefix, with {fields} of the event."""
    body: str
    """JSON text, with {fields} and {answer}."""
    key_env: str = ""
    key_file: str = ""
    method: Literal["PATCH", "PUT", "POST"] = "PATCH"
    sources: list[str] = []
    types: list[str] = []
    fetch: str = ""
    model: str = ""
    prompt: str = ""
    max_tokens: Positive = 256
    timeout: Seconds = 120.0
    concurrency: Concurrency = 1
    delivery: Delivery = Delivery()
