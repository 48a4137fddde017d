"""Judges the prompts of keys and models that want it; nothing is ever refused for what it says.

A chat is refused only where its policy keeps it in the house and the model has no target there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from pihub.domain.finding import Finding
from pihub.domain.ports import ClientFormat
from pihub.domain.prompt_mode import PromptMode, strictest
from pihub.domain.target import Target
from pihub.errors import BadRequest, PromptWithheld
from pihub.gateway.exchange import Exchange
from pihub.gateway.prompts.finder import Finder, Hit, Report
from pihub.gateway.prompts.leaves import Leaves
from pihub.gateway.prompts.placeholder import Placeholders, hide
from pihub.gateway.prompts.prompt import Prompt, counted
from pihub.protocols.jsontext import encode
from pihub.protocols.responses.client import ResponsesClient
from pihub.shared.findings import Allowance
from pihub.shared.metrics import Column

QUIET = 60.0
"""Seconds in which the same rule of the same key is one row among the findings: a conversation
says the same again at every turn."""
REMEMBERED = 1024
"""Such pairs a worker remembers."""
PLACE = "prompt"


class Allowances(Protocol):
    def __contains__(self, row: Allowance, /) -> bool: ...


class Modes:
    """Which mode a request has: the strictest of its key's and its model's."""

    def __init__(
        self, other: PromptMode, keys: Mapping[int, PromptMode], models: Mapping[str, PromptMode]
    ) -> None:
        """`other`: of keys that are not named; `models`: by every name that clients may use."""
        self._other = other
        self._keys = keys
        self._models = models

    def __call__(self, key: int, model: str) -> PromptMode:
        return strictest(self._keys.get(key, self._other), self._models.get(model, "off"))


class Guard:
    """One worker's. RAM: the finder's tables (about 300 KiB), and a prompt while it is judged."""

    def __init__(
        self,
        modes: Modes,
        finder: Finder,
        local: Collection[str],
        secret: bytes,
        allowed: Allowances,
        record: Callable[[Finding], None],
        count: Callable[[Column], None],
        paths: Mapping[int, str],
    ) -> None:
        """`paths`: by the route's number."""
        self._paths = paths
        self._modes = modes
        self._finder = finder
        self._local = frozenset(local)
        self._secret = secret
        self._allowed = allowed
        self._record = record
        self._count = count
        self._told: dict[tuple[int, str], float] = {}

    def check(self, x: Exchange) -> None:
        """Sets `prompt`, if the key or the model wants it. Raises BadRequest."""
        who = x.request.principal
        mode = self._modes(who.key, x.alias)
        if mode == "off":
            return
        tree = _tree(x.request.client, x.request.body)
        leaves = Leaves(tree)
        path = self._paths.get(x.request.route, "")
        report = self._allow(self._finder.judge(leaves), who.key, path)
        prompt = x.prompt = Prompt(
            mode, self._local,
            counted([hit.rule for hit in report.hits]),
            tuple(kind for kind, _, _ in report.signs),
            report.unread,
        )  # fmt: skip
        if prompt.mode == "redact-then-cloud" and report.hits and not prompt.unread:
            names = Placeholders(self._secret, who.tenant)
            hide(leaves.leaves, report.hits, names)
            leaves.close()
            prompt.values = names.values
            prompt.hide(encode(tree), lambda: self._count(Column.PROMPTS_REDACTED))
        if prompt.rules or prompt.signs or (prompt.unread and prompt.mode != "cloud-ok"):
            self._tell(x, report, path)

    def bound(self, x: Exchange, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Those of `targets` that may get the prompt. Raises PromptWithheld."""
        prompt = x.prompt
        if prompt is None or not prompt.stays:
            return tuple(targets)
        at_home = tuple(one for one in targets if one.upstream in self._local)
        if not at_home:
            self._count(Column.PROMPTS_WITHHELD)
            prompt.sent = "refused"
            raise PromptWithheld(_why(prompt, x.alias))
        if len(at_home) < len(targets):
            self._count(Column.PROMPTS_KEPT_LOCAL)
        prompt.sent = "kept local"
        return at_home

    def _allow(self, report: Report, key: int, path: str) -> Report:
        """Without what an admin lets pass for this key."""

        def passes(rule: str) -> bool:
            return (path, PLACE, field(key), rule) in self._allowed

        hits: list[Hit] = [hit for hit in report.hits if not passes(hit.rule)]
        signs = tuple(sign for sign in report.signs if not passes(sign[1]))
        unread = "" if report.unread and passes("unread") else report.unread
        return Report(tuple(hits), signs, unread)

    def _tell(self, x: Exchange, report: Report, path: str) -> None:
        """A row for each rule that is new, without any value."""
        self._count(Column.PROMPTS_FOUND)
        rows = {hit.rule: (hit.kind, 90) for hit in report.hits}
        rows |= {rule: (kind, points) for kind, rule, points in report.signs}
        if report.unread:
            rows["unread"] = ("unread", 50)
        who, now = x.request.principal, time.monotonic()
        for rule, (kind, points) in rows.items():
            if now - self._told.get((who.key, rule), -QUIET) < QUIET:
                continue
            if len(self._told) >= REMEMBERED:
                self._told.clear()
            self._told[who.key, rule] = now
            self._record(
                Finding(
                    int.from_bytes(os.urandom(8)) >> 1, time.time_ns(), 0, who.tenant, points,
                    False, kind, PLACE, field(who.key), rule, path, who.key,
                )
            )  # fmt: skip


def field(key: int) -> str:
    """The field of a finding in a prompt: whose prompt it was, so that an allowance is for that
    key alone."""
    return f"key {key}"


def _tree(client: ClientFormat, body: bytes) -> Any:
    """The body as objects, with what it refers to. Raises BadRequest."""
    if isinstance(client, ResponsesClient):
        body = client.whole(body)
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is not valid JSON") from None


def _why(prompt: Prompt, model: str) -> str:
    found = ", ".join(sorted(prompt.rules)) or prompt.unread
    return (
        f"the prompt holds what may not leave the house under this API key's or model's policy "
        f"({prompt.mode}: {found}), and the model {model[:100]!r} has no local target"
    )
