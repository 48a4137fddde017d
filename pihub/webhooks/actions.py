"""What the hub does with an event by itself: fetch, ask a model, write back.

All through the hub's own port with a key of the hub: limits, records, prices, cache and
breakers hold for actions as for everybody.
"""

from __future__ import annotations

import json
from typing import Any

from pihub.settings.addresses import listen_addresses
from pihub.settings.schema import Api, Pool
from pihub.settings.webhooks import Action
from pihub.store.hooks import Due
from pihub.upstream.connector.connector import Connector
from pihub.upstream.connector.origin import Origin
from pihub.webhooks import template
from pihub.webhooks.attempt import Verdict, call, event_id, timers

MOST_OBJECT = 256 * 1024
"""Bytes of what is fetched, and of a model's answer."""


class ActionTarget:
    """One [actions.NAME]. Repeated after a crash it writes the same once more."""

    def __init__(
        self,
        name: str,
        settings: Action,
        api: Api,
        key: bytes | None,
        own: Origin,
        connector: Connector,
    ) -> None:
        """`own`: where the hub itself listens."""
        self._name = name
        self._settings = settings
        self._prefix = api.prefix.rstrip("/")
        self._own = own
        self._connector = connector
        self._timers = timers(settings.timeout)
        self._pool = Pool(size=settings.concurrency, idle=30.0)
        self._headers = [("content-type", "application/json"), ("user-agent", "pihub-action")]
        if key is not None:
            self._headers.append(("authorization", f"Bearer {key.decode('ascii')}"))

    def attempt(self, due: Due) -> Verdict:
        action = self._settings
        values: dict[str, Any] = {}
        try:
            data = json.loads(due.body)
            values = {**data} if isinstance(data, dict) else {}
            values.setdefault("type", due.kind)
            if action.fetch:
                where = self._prefix + template.path(action.fetch, values)
                verdict, found = self._ask("GET", where)
                if not verdict.ok:
                    return _at("fetch", verdict)
                values["object"] = found.decode("utf-8", "replace")
            if action.model:
                verdict, found = self._ask("POST", "/v1/chat/completions", self._chat(values))
                if not verdict.ok:
                    return _at("model", verdict)
                values["answer"] = _said(found)
            text = template.body(action.body, values)
            where = self._prefix + template.path(action.write, values)
        except ValueError as error:
            return Verdict(False, error=str(error)[:200], final=True)
        name = f"{event_id(due)}-{self._name}"
        verdict, _ = self._ask(action.method, where, text, ("idempotency-key", name))
        return _at("write", verdict)

    def _chat(self, values: dict[str, Any]) -> bytes:
        return json.dumps(
            {
                "model": self._settings.model,
                "messages": [
                    {"role": "user", "content": template.prompt(self._settings.prompt, values)}
                ],
                "max_tokens": self._settings.max_tokens,
                "temperature": 0,
            }
        ).encode()

    def _ask(
        self, method: str, path: str, body: bytes | None = None, *extra: tuple[str, str]
    ) -> tuple[Verdict, bytes]:
        return call(
            self._connector, self._own, method, path, [*self._headers, *extra], body,
            self._timers, self._pool, MOST_OBJECT,
        )  # fmt: skip


def own_origin(listen: str) -> Origin:
    """The hub's own address as its own client calls it."""
    host, port = listen_addresses(listen)[0]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared only
    return Origin("http", host, port)


def _at(step: str, verdict: Verdict) -> Verdict:
    return verdict if verdict.ok else verdict._replace(error=f"{step}: {verdict.error}")


def _said(data: bytes) -> str:
    """The model's words. Raises ValueError."""
    try:
        found = json.loads(data)["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        raise ValueError("the model said nothing") from None
    if not isinstance(found, str) or not found.strip():
        raise ValueError("the model said nothing")
    return found.strip()
