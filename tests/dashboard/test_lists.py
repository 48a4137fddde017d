"""Screens that are lists, built from rows that the test gives."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pihub.dashboard.menu import Entry, ScreenPage
from pihub.dashboard.parts import Cards, Editor, Form, Screen, Table
from pihub.dashboard.screens import audit, security
from pihub.dashboard.screens.refused import Refused
from pihub.dashboard.sources import Sources
from pihub.domain.finding import Finding
from pihub.errors import NotFound
from pihub.security.actor import Actor
from pihub.security.permissions import ROLES
from pihub.store.audit import AuditRow


def sources(**services: Any) -> Sources:
    return Sources(SimpleNamespace(**services), None, None, None)  # type: ignore[arg-type]


class Keys:
    """Counts how often it is asked: each time is a query."""

    asked = 0

    def list(self) -> list[Any]:
        self.asked += 1
        return [SimpleNamespace(id=7, name="kitchen", tenant=1)]

    def tenants(self) -> list[Any]:
        self.asked += 1
        return [SimpleNamespace(id=1, name="home")]


def finding(number: int) -> Finding:
    return Finding(
        id=number, ts_ns=time.time_ns(), offset=0, rule="sql", kind="sql", place="query",
        field="q", path="/shop", points=5, blocked=True, tenant=1, key=7,
    )  # fmt: skip


def test_many_findings_ask_for_names_once() -> None:
    keys = Keys()
    scanner = SimpleNamespace(
        recent=lambda limit: [finding(n) for n in range(150)], allowances=list
    )
    usage = [SimpleNamespace(group=group, requests=2) for group in ("0", "2", "4", "5")]
    store = SimpleNamespace(usage=lambda *_: usage)
    screen = security.build(sources(keys=keys, scanner=scanner, store=store), {})
    cards, table = screen.parts[:2]
    assert isinstance(cards, Cards)
    assert (cards.cards[-1].label, cards.cards[-1].value) == ("Turned away, 24 h", "2")
    assert isinstance(table, Table)
    assert len(table.lines) == 150
    assert (table.lines[0].cells[3].text, table.lines[0].cells[3].sub) == ("home", "kitchen")
    assert keys.asked == 2


def test_a_finding_is_found_by_its_id_and_says_that_it_passes_since() -> None:
    one, other = finding(1), finding(2)._replace(field="r", tenant=2)
    known = {found.name: found for found in (one, other)}

    def by_name(name: str) -> Finding:
        if name not in known:
            raise NotFound("there is no such finding")
        return known[name]

    allowance = SimpleNamespace(id=1, path="/shop", place="query", field="q", rule="sql", by="ann")
    scanner = SimpleNamespace(recent=lambda _: [], one=by_name, allowances=lambda: [allowance])
    store = SimpleNamespace(usage=lambda *_: [])
    world = sources(keys=Keys(), scanner=scanner, store=store)

    def table(name: str) -> Table:
        found = security.build(world, {"id": name}).parts[1]
        assert isinstance(found, Table)
        return found

    (line,) = table(one.name.upper()).lines
    assert line.cells[0].href == f"/dashboard/security?id={one.name}"
    assert line.cells[1].sub == "refused; let pass since"
    assert not line.actions
    (line,) = table(other.name).lines
    assert (line.cells[1].sub, line.actions[0].sure) == (
        "refused", "Let sql pass in query r of /shop?",
    )  # fmt: skip
    gone = table("0123")
    assert (gone.lines, gone.empty) == ((), "There is no finding 0123.")


@pytest.mark.parametrize(
    ("result", "tone"),
    [("ok", ""), ("200", ""), ("204", ""), ("303", ""), ("refused", "look"), ("conflict", "look")],
)
def test_only_what_was_refused_is_worth_a_look(result: str, tone: str) -> None:
    row = AuditRow(
        1, time.time_ns(), "user:olga", "127.0.0.1", None, "post_keys", "/keys", result, "", "", b""
    )
    log = SimpleNamespace(page=lambda *_: [row])
    table = audit.build(sources(control=SimpleNamespace(audit=log)), {}).parts[0]
    assert isinstance(table, Table)
    assert table.lines[0].cells[3].tone == tone


@pytest.mark.parametrize(
    ("actor", "action", "before", "after", "told"),
    [
        ("local:local", "post_keys", "", '{"id":4,"name":"phone","created":1795938931,"user":null}',
         ("this machine", "make key", "name: phone")),
        ("session:olga", "put_tenants", '{"name":"a","rpm":5}', '{"name":"a","rpm":null}',
         ("olga", "set tenant", "rpm: 5 → none")),
        ("session:olga", "post_keys_number_rotate", "", '{"token":"…","hint":"ph_x…"}',
         ("olga", "rotate key", "hint: ph_x…")),
        ("session:olga", "own password", "", "", ("olga", "own password", "")),
        ("olga", "delete_keys", "no JSON", "", ("olga", "remove key", "no JSON")),
        ("nobody:", "admin key", "", '{"locked":"source","refused":10}',
         ("nobody", "admin key", "locked: source, refused: 10")),
    ],
)  # fmt: skip
def test_a_change_is_told_in_words(
    actor: str, action: str, before: str, after: str, told: tuple[str, str, str]
) -> None:
    row = AuditRow(
        1, time.time_ns(), actor, "10.0.0.7", None, action, "/x", "201", before, after, b""
    )
    log = SimpleNamespace(page=lambda *_: [row])
    table = audit.build(sources(control=SimpleNamespace(audit=log)), {}).parts[0]
    assert isinstance(table, Table)
    _, who, what, _, change = table.lines[0].cells
    assert (who.text, what.text, change.text) == told


@pytest.mark.parametrize(("role", "locked"), [("admin", False), ("operator", True)])
def test_who_may_not_change_the_configuration_gets_no_form_for_it(role: str, locked: bool) -> None:
    screen = Screen("Settings", (Form("[server]", ()), Editor("The file", "")))
    entry = Entry("settings", "Settings", "config:read", lambda *_: screen)
    seen: list[Screen] = []
    page = ScreenPage(
        entry, None, SimpleNamespace(answer=lambda *_, **values: seen.append(values["screen"]))
    )
    actor = Actor("user", "olga", ROLES[role])
    page.on_get(SimpleNamespace(params={}, env={"pihub.actor": actor}), None)  # type: ignore[arg-type]
    assert [part.locked for part in seen[0].parts] == [locked, locked]  # type: ignore[union-attr]


def test_a_link_to_what_a_sender_was_refused_names_that_sender() -> None:
    odd = "a&show=errors#b/c d"  # would end the link early unless it is quoted
    row: Any = SimpleNamespace(upstream=odd, ts_ns=time.time_ns(), error="not_found")
    number, _ = Refused((row,)).cells(odd)
    asked = parse_qs(urlsplit(number.href).query)
    assert asked == {"route": ["webhook"], "status": ["4"], "model": [odd]}
