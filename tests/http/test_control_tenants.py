"""Two tenants with everything a tenant can have: each finds its own, and nothing of the other,
on every operation of the admin API and on every page."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from pihub.dashboard.entries import ENTRIES
from pihub.domain.finding import Finding
from pihub.http.control.operation import Operation
from pihub.http.control.table import OPERATIONS
from pihub.security.opening import open_control
from pihub.security.permissions import PERMISSIONS
from pihub.settings.webhooks import Webhook
from pihub.shared.events import Record
from pihub.shared.streams import StreamTracker
from pihub.store.group import GroupCommit
from pihub.store.hooks import HookDatabase, NewEvent
from pihub.webhooks.desk import HookDesk
from pihub.webhooks.routing import Wish
from tests.http.control_parts import Control
from tests.http.test_control_access import API, PASSWORD, Browser

MARK = "mark-of-"
"""Whatever belongs to tenant `two` has `mark-of-two` in it."""


class Tenant(NamedTuple):
    token: str
    number: int
    key: int
    budgets: list[int]
    event: int
    finding: str
    stream: str


class House(NamedTuple):
    control: Control
    hooks: HookDatabase
    one: Tenant
    two: Tenant


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("tenants")
    hooks = HookDatabase(folder / "hooks.db")
    group = GroupCommit(hooks.database)
    committer = threading.Thread(target=group.run)
    committer.start()
    senders = {
        f"{MARK}{name}": Webhook(kind="standard", tenant=name) for name in ("one", "two")
    }
    wished = [Wish(f"target-of-{name}", (f"{MARK}{name}",), ()) for name in ("one", "two")]
    desk = HookDesk(senders, hooks, group, {}, wished)
    control = Control(folder, desk, screens=True)
    try:
        found = [_furnish(control, hooks, n, name) for n, name in enumerate(("one", "two"))]
        until(lambda: len(control.call("GET", f"{API}/requests")[2]["items"]) == 6)
        yield House(control, hooks, *found)
    finally:
        control.finish()
        group.close()
        committer.join(5)
        hooks.close()


def until(true: Any) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def _furnish(control: Control, hooks: HookDatabase, n: int, name: str) -> Tenant:
    """A tenant with a key, budgets, requests, an event, a finding, a stream, a user, audit rows."""
    mark = MARK + name
    body = {"tenant": name, "name": mark, "scope": {"admin": sorted(PERMISSIONS)}}
    made = control.call("POST", f"{API}/keys", body)[2]
    budgets = [
        control.call("POST", f"{API}/budgets", {"scope": scope, "name": who, "per_day_usd": 5})
        for scope, who in (("tenant", name), ("key", mark), ("user", mark), ("model", mark))
    ]
    state, number = control.state, made["tenant_id"]
    word = state.names.intern(mark)
    for count in range(3):
        state.events.push(
            1 if state.events.rings > 1 else 0,
            Record(
                ts_ns=time.time_ns(), rid=(n + 1) << 32 | count, tenant=number, key=made["id"],
                route=1, status=200, model=word, upstream=word, alias=word, dur_us=1000,
                in_tok=11, out_tok=7, cost_nano=1000,
            ),
        )  # fmt: skip
    StreamTracker(state.streams, 0).open(
        (n + 1) << 16, key=made["id"], tenant=number, model=word, upstream=word, alias=word
    )
    finding = Finding((n + 1) << 40, time.time_ns(), tenant=number, points=9, blocked=True,
                      kind="sqli", place="query", field=mark, rule=mark, path=f"/{mark}",
                      offset=0)  # fmt: skip
    state.findings.push(0, finding)
    with hooks.database.write() as connection:
        new = NewEvent(bytes([n]) * 16, mark, mark, 1, f'{{"{mark}": 1}}', [f"target-of-{name}"])
        hooks.add(connection, mark, [new], 1, 1)
        event = connection.last_insert_rowid()
    event = hooks.database.read("SELECT max(id) FROM events")[0][0]
    people = open_control(control.settings)
    people.accounts.create(mark, PASSWORD, role="admin", tenant=number)
    people.close()
    Browser(control).login(mark)
    return Tenant(
        made["token"], number, made["id"], [one[2]["id"] for one in budgets], event,
        finding.name, f"{(n + 1) << 16:016x}",
    )  # fmt: skip


def paths(one: Operation, of: Tenant) -> list[str]:
    """The operation's path with every identifier that the tenant has."""
    numbers = {of.number, of.key, *of.budgets, of.event} if "{number}" in one.shown_path else {0}
    return [
        one.shown_path.replace("{number}", str(number))
        .replace("{name}", of.finding)
        .replace("{request_id}", of.stream)
        for number in sorted(numbers)
    ]


def bodies(of: Tenant) -> list[Any]:
    """What writes might take, with the tenant's identifiers and without its marked names: a
    refused change stands in the audit log of whoever tried it."""
    return [
        None,
        {},
        {"name": "two"},
        {"name": "x", "tenant": "two", "scope": {}},
        {"scope": "tenant", "name": "two", "per_day_usd": 1},
        {"scope": "key", "name": str(of.key), "per_day_usd": 1},
        {"usd": 1},
        {"target": "target-of-two"},
        {"finding": of.finding},
    ]


def test_no_route_gives_one_tenant_what_is_another_s(house: House) -> None:
    control, walked = house.control, 0
    before = everything_of_two(house)
    for one in OPERATIONS:
        for path in paths(one, house.two):
            for body in bodies(house.two) if one.method != "GET" else (None,):
                status, _, said = Browser(control).call(
                    one.method, path, body, x_api_key=house.one.token
                )
                walked += 1
                assert f"{MARK}two" not in str(said), (one.id, path, body)
                if "{" in one.shown_path and not shared(one, path, house):
                    assert status in (400, 403, 404, 428), (one.id, path, body, status)
                else:
                    assert status < 500, (one.id, body)
    assert walked > 200
    assert everything_of_two(house) == before


def shared(one: Operation, path: str, house: House) -> bool:
    """A number of `two` may be the number of another thing of `one`."""
    numbers = {house.one.number, house.one.key, *house.one.budgets, house.one.event}
    return "{number}" in one.shown_path and any(
        part.isdigit() and int(part) in numbers for part in path.split("/")
    )


def everything_of_two(house: House) -> list[Any]:
    call, two = house.control.call, house.two
    keys = [row for row in call("GET", f"{API}/keys")[2]["items"] if row["tenant"] == "two"]
    fields = "id,scope,name,per_day_usd,per_month_usd,approved_today_usd,at_limit"
    every = call("GET", f"{API}/budgets?fields={fields}")[2]["items"]
    budgets = [row for row in every if row["id"] in two.budgets]
    return [
        keys,
        budgets,
        call("GET", f"{API}/tenants/{two.number}")[2],
        call("GET", f"{API}/webhooks/events/{two.event}")[2],
        call("GET", f"{API}/security/findings/{two.finding}")[2],
        [row["request_id"] for row in call("GET", f"{API}/streams")[2]["items"]],
        [row["name"] for row in call("GET", f"{API}/users")[2]["items"]],
    ]


LISTS = (
    "/requests", "/streams", "/budgets", "/webhooks/events", "/webhooks/deliveries", "/keys",
    "/security/findings", "/audit", "/tenants",
)  # fmt: skip


@pytest.mark.parametrize("path", LISTS)
def test_each_list_has_the_tenant_s_own(house: House, path: str) -> None:
    for name, tenant in (("one", house.one), ("two", house.two)):
        status, _, found = Browser(house.control).call("GET", API + path, x_api_key=tenant.token)
        assert status == 200, found
        other = {"one": "two", "two": "one"}[name]
        assert found["items"], path
        assert f"{MARK}{other}" not in str(found)
        numbers = {
            row.get("tenant_id", row.get("tenant"))
            for row in found["items"]
            if "tenant_id" in row or "tenant" in row
        }
        assert numbers <= {tenant.number, name}


def test_sums_and_the_picture_are_the_tenant_s_own(house: House) -> None:
    def asked(path: str, token: str) -> Any:
        return Browser(house.control).call("GET", API + path, x_api_key=token)[2]

    for token in (house.one.token, house.two.token):
        for by in ("none", "tenant", "key", "route", "model", "upstream", "status", "cache"):
            for step in ("minute", "hour", "day"):
                rows = asked(f"/usage?by={by}&step={step}", token)["usage"]
                total = sum(row["requests"] for row in rows)
                assert (total, sum(row["tokens"]["input"] for row in rows)) == (3, 33), (by, step)
                known = by in ("none", "tenant", "key")
                assert all((row["p50_ms"] is not None) == known for row in rows)
        seen = asked("/status", token)
        assert seen["totals"]["requests"] == len(seen["requests"]) == 3
        assert seen["totals"]["streams_open"] == 1
        assert seen["money"]["today"]["cost_usd"] == pytest.approx(3e-6)
        overview = asked("/webhooks", token)
        assert (overview["pending"], len(overview["senders"])) == (1, 1)
    whole = house.control.call("GET", f"{API}/usage?step=hour")[2]["usage"]
    assert sum(row["requests"] for row in whole) == 6


def test_pages_turn_within_a_tenant(house: House) -> None:
    browser = Browser(house.control)
    found, url = [], f"{API}/requests?limit=1"
    for _ in range(9):
        page = browser.call("GET", url, x_api_key=house.one.token)[2]
        found += [row["request_id"] for row in page["items"]]
        if page["next"] is None:
            break
        url = f"{API}/requests?limit=1&cursor={page['next']}"
    assert len(found) == len(set(found)) == 3
    foreign = browser.call("GET", url, x_api_key=house.two.token)
    assert foreign[0] == 400, "a cursor is its tenant's"


def test_every_page_shows_the_tenant_s_own_or_is_closed(house: House) -> None:
    open_pages, closed = set(), set()
    names = ["", "/requests", *(f"/{one.name}" for one in ENTRIES)]
    for name in names:
        for token, other in ((house.one.token, "two"), (house.two.token, "one")):
            status, _, page = Browser(house.control).call(
                "GET", f"/dashboard{name}", x_api_key=token
            )
            assert f"{MARK}{other}".encode() not in page, name
            assert status in (200, 403), (name, page)
            (open_pages if status == 200 else closed).add(name)
            for link in re.findall(rb'href="/dashboard/([a-z]+)"', page) if status == 200 else ():
                assert f"/{link.decode()}" not in closed, "the menu shows what is open"
    assert closed == {f"/{one.name}" for one in ENTRIES if not one.tenanted}
    marked = {"/requests", "/costs", "/streams", "/webhooks", "/keys", "", "/models", "/audit"}
    for name in marked:
        page = Browser(house.control).call("GET", f"/dashboard{name}", x_api_key=house.one.token)[2]
        assert f"{MARK}one".encode() in page, name


def test_a_tenant_s_people_set_budgets_of_their_keys_alone(house: House) -> None:
    token, one = house.one.token, house.one

    def write(method: str, path: str, body: Any = None) -> int:
        return int(Browser(house.control).call(method, API + path, body, x_api_key=token)[0])

    own = {"scope": "key", "name": str(one.key), "per_day_usd": 7}
    key = Browser(house.control).call("POST", f"{API}/budgets", own, x_api_key=token)[2]["id"]
    tenant, _, *others = one.budgets
    assert write("POST", f"/budgets/{tenant}/approvals", {"usd": 1}) == 403
    assert write("DELETE", f"/budgets/{tenant}") == 403
    body = {"scope": "tenant", "name": "one", "per_day_usd": 900}
    assert write("POST", "/budgets", body) == 403
    assert write("POST", "/budgets", {**body, "scope": "model", "name": "any"}) == 403
    for number in (0, *others, *house.two.budgets):
        assert write("DELETE", f"/budgets/{number}") == 404
    assert write("POST", f"/budgets/{key}/approvals", {"usd": 1}) == 200
    assert write("DELETE", f"/budgets/{key}") == 200


def test_what_is_the_house_s_is_closed_to_tenants(house: House) -> None:
    closed = [one for one in OPERATIONS if not one.tenanted]
    assert {"get_users", "post_tenants", "put_tenants_number", "post_security_allowances"} <= {
        one.id for one in closed
    }
    for one in closed:
        path = paths(one, house.one)[0]
        status = Browser(house.control).call(one.method, path, x_api_key=house.one.token)[0]
        assert status == 403, one.id
    for path in ("/dashboard/system", "/dashboard/events"):
        assert Browser(house.control).call("GET", path, x_api_key=house.one.token)[0] == 403
