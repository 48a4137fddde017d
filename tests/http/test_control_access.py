"""Who may do what: logins, admin keys, other sites, lock-out, tenants, the audit log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from pihub.dashboard.login import cookies
from pihub.http.control.table import OPERATIONS
from pihub.security.opening import Control as Services
from pihub.security.opening import open_control
from pihub.security.sessions import Login
from tests.http.control_parts import Control

API = "/admin/api/v1"
PASSWORD = "a long sentence of words"
AWAY = "192.0.2.7"
FORM = "application/x-www-form-urlencoded"


class Browser:
    """A client on another machine, with a cookie jar."""

    def __init__(self, control: Control, source: str = AWAY) -> None:
        self.control = control
        self.source = source
        self.jar: dict[str, str] = {}

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        if self.jar:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        headers.setdefault("Host", "192.0.2.1:8080")
        found = self.control.call(method, path, body, x_pihub_forwarded=self.source, **headers)
        for line in self.control.cookies:
            name, _, value = line.partition(";")[0].partition("=")
            self.jar[name] = value
        return found

    def form(self, path: str, **fields: str) -> Any:
        return self.call("POST", path, urlencode(fields).encode(), content_type=FORM)

    def login(self, user: str = "ann", password: str = PASSWORD, code: str = "") -> int:
        found = self.form("/dashboard/login", user=user, password=password, code=code)
        return int(found[0])

    def write(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.call(
            method, path, body, x_csrf_token=self.jar.get("pihub_csrf", ""), **headers
        )


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    found = Control(tmp_path)
    yield found
    found.finish()


@pytest.fixture
def files(control: Control) -> Iterator[Services]:
    """The same files, as `pihub admin` opens them."""
    control.call("GET", f"{API}/me")
    found = open_control(control.settings)
    yield found
    found.close()


@pytest.fixture
def ann(control: Control, files: Services) -> Browser:
    files.accounts.create("ann", PASSWORD)
    browser = Browser(control)
    assert browser.login() == 303
    return browser


def test_before_the_first_admin_only_this_machine_reads(control: Control) -> None:
    here = Browser(control, "127.0.0.1")
    assert here.call("GET", f"{API}/keys")[0] == 200
    assert here.call("POST", f"{API}/keys", {"name": "x"})[0] == 403
    assert here.call("GET", f"{API}/keys", x_pihub_told_for=AWAY)[0] == 403
    for path in (f"{API}/keys", "/dashboard", "/dashboard/login", "/admin/api/openapi.json"):
        assert Browser(control).call("GET", path)[0] == 403


def test_the_set_up_link_is_good_once(control: Control, files: Services) -> None:
    link = "/dashboard/setup/" + files.accounts.new_link()
    here = Browser(control, "127.0.0.1")
    assert here.call("GET", link)[0] == 200
    assert here.call("GET", link[:-1] + "~")[0] == 404
    fields = {"user": "ann", "password": PASSWORD, "again": PASSWORD}
    assert here.form(link, **{**fields, "again": "other"})[0] == 400
    assert here.form(link, **{**fields, "password": "short", "again": "short"})[0] == 400
    status, headers, _ = here.form(link, **fields)
    assert (status, headers["location"]) == (303, "/dashboard/welcome")
    assert here.call("GET", f"{API}/me")[2]["name"] == "ann"
    assert Browser(control, "127.0.0.1").form(link, **{**fields, "user": "eve"})[0] == 400
    assert [user.subject for user in files.accounts.people.users()] == ["ann"]


def test_after_it_everybody_needs_a_login(control: Control, ann: Browser) -> None:
    for source in ("127.0.0.1", AWAY):
        nobody = Browser(control, source)
        status, headers, _ = nobody.call("GET", "/dashboard/requests")
        assert status == 303
        assert headers["location"] == "/dashboard/login?next=/dashboard/requests"
        assert nobody.call("GET", "/dashboard/login")[0] == 200
        for one in OPERATIONS:
            path = one.shown_path.replace("{number}", "1").replace("{name}", "x")
            status, _, problem = nobody.call(one.method, path)
            assert (status, problem["code"]) == (401, "login_required"), one.id
    assert ann.call("GET", "/dashboard")[0] == 200
    assert control.call("GET", f"{API}/users")[0] == 200


def test_cookies_are_out_of_reach_of_scripts_and_sites(control: Control, ann: Browser) -> None:
    ann.login()
    session, csrf = control.cookies
    assert session.startswith("__Host-pihub_session=")
    for word in ("HttpOnly", "SameSite=Strict", "Path=/", "Secure", "Max-Age=43200"):
        assert word in session
    assert "SameSite=Strict" in csrf and "Secure" in csrf and "HttpOnly" not in csrf
    plain = cookies(Login("c", "t", 1), secure=False, length=60)
    assert plain == [
        "pihub_session=c; HttpOnly; Path=/; SameSite=Strict; Max-Age=60",
        "pihub_csrf=t; Path=/; SameSite=Strict; Max-Age=60",
    ]


def test_a_login_changes_the_session_and_a_logout_ends_it(
    control: Control, ann: Browser, files: Services
) -> None:
    old = dict(ann.jar)
    ann.login()
    assert ann.jar["__Host-pihub_session"] != old["__Host-pihub_session"]
    thief = Browser(control)
    thief.jar = old
    assert thief.call("GET", f"{API}/me")[0] == 401
    kept = dict(ann.jar)
    assert ann.form("/dashboard/logout", csrf=ann.jar["pihub_csrf"])[0] == 303
    thief.jar = kept
    assert thief.call("GET", f"{API}/me")[0] == 401
    assert files.accounts.people.sessions() == []


def test_a_change_needs_the_page_s_own_token(control: Control, ann: Browser) -> None:
    body = {"name": "x"}
    assert ann.call("POST", f"{API}/keys", body)[0] == 403
    assert ann.call("POST", f"{API}/keys", body, x_csrf_token="0" * 32)[0] == 403
    for evil in ({"sec_fetch_site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert ann.write("POST", f"{API}/keys", body, **evil)[0] == 403
    own = {"sec_fetch_site": "same-origin", "Origin": "http://192.0.2.1:8080"}
    assert ann.write("POST", f"{API}/keys", body, **own)[0] == 201
    assert ann.form("/dashboard/logout")[0] == 403
    other = Browser(control)
    assert other.call("POST", "/dashboard/login", b"user=ann", content_type=FORM,
                      Origin="https://evil.example")[0] == 403  # fmt: skip


def test_five_wrong_passwords_lock_but_never_the_owner_out(control: Control, ann: Browser) -> None:
    texts = set()
    for user in ("ann", "nobody-of-that-name"):
        thief = Browser(control, f"198.51.100.{len(user)}")
        for _ in range(5):
            status, _, page = thief.form("/dashboard/login", user=user, password="wrong")
            assert status == 401
            texts.add(page.replace(user.encode(), b"USER"))
        status, headers, _ = thief.form("/dashboard/login", user=user, password=PASSWORD)
        assert status == 429 and 0 < int(headers["retry-after"]) <= 900
    assert len(texts) == 1
    # Elsewhere the account is locked, even with the right password; where ann has been
    # before, and on the machine itself, it is not.
    assert Browser(control, "203.0.113.9").login() == 429
    assert Browser(control).login() == 303
    assert control.call("GET", f"{API}/me")[0] == 200


def test_admin_keys_do_what_their_scope_says(
    control: Control, ann: Browser, files: Services
) -> None:
    scope = {"admin": ["keys:read"], "networks": ["192.0.2.0/24"]}
    made = ann.write("POST", f"{API}/keys", {"name": "ci", "scope": scope})[2]
    bearer = {"authorization": f"Bearer {made['token']}"}
    nobody = Browser(control)
    assert nobody.call("GET", f"{API}/keys", **bearer)[0] == 200
    assert nobody.call("GET", f"{API}/keys", x_api_key=made["token"])[0] == 200
    assert nobody.call("GET", f"{API}/users", **bearer)[0] == 403
    assert nobody.call("POST", f"{API}/keys", {"name": "y"}, **bearer)[0] == 403
    assert Browser(control, "203.0.113.9").call("GET", f"{API}/keys", **bearer)[0] == 401
    plain = ann.write("POST", f"{API}/keys", {"name": "laptop"})[2]
    assert nobody.call("GET", f"{API}/keys", x_api_key=plain["token"])[0] == 401
    ann.write("DELETE", f"{API}/keys/{made['id']}")
    assert nobody.call("GET", f"{API}/keys", **bearer)[0] == 401


def test_nobody_gives_more_than_they_have(control: Control, files: Services, ann: Browser) -> None:
    files.accounts.put_role("keymaker", ["keys:read", "keys:write", "users:write", "roles:write"])
    files.accounts.create("kim", PASSWORD, "keymaker")
    kim = Browser(control)
    assert kim.login("kim") == 303
    assert kim.write("POST", f"{API}/keys", {"name": "x"})[0] == 201
    grab = {"name": "x", "scope": {"admin": ["users:read"]}}
    assert kim.write("POST", f"{API}/keys", grab)[0] == 403
    eve = {"subject": "eve", "password": PASSWORD, "role": "owner"}
    assert kim.write("POST", f"{API}/users", eve)[0] == 403
    assert kim.write("PUT", f"{API}/roles/keymaker", {"permissions": ["audit:read"]})[0] == 403
    assert kim.write("POST", f"{API}/users/1/password", {"password": PASSWORD + "!"})[0] == 403
    assert ann.write("PUT", f"{API}/users/1", {"role": "viewer"})[0] == 409


def test_a_disabled_user_is_out_at_the_next_request(
    control: Control, ann: Browser, files: Services
) -> None:
    files.accounts.create("ben", PASSWORD, "viewer")
    ben = Browser(control)
    assert ben.login("ben") == 303
    assert ben.call("GET", "/dashboard")[0] == 200
    assert ben.call("GET", f"{API}/keys")[0] == 403
    number = ben.call("GET", f"{API}/me")[2]["user"]
    assert ann.write("PUT", f"{API}/users/{number}", {"role": "analyst"})[0] == 200
    assert ben.call("GET", f"{API}/requests")[0] == 200
    gone = {"role": "analyst", "disabled": True}
    assert ann.write("PUT", f"{API}/users/{number}", gone)[0] == 200
    assert ben.call("GET", "/dashboard")[0] == 303
    assert ben.login("ben") == 401


def test_one_s_own_password_and_second_factor(
    control: Control, ann: Browser, files: Services
) -> None:
    other = Browser(control)
    other.login()
    assert len(ann.call("GET", f"{API}/me/sessions")[2]["items"]) == 2
    page = "/dashboard/account"
    wrong = {"do": "totp", "old": "wrong", "csrf": ann.jar["pihub_csrf"]}
    assert ann.form(page, **wrong)[0] == 401
    status, _, shown = ann.form(page, **{**wrong, "old": PASSWORD})
    assert status == 200 and b"otpauth://totp/" in shown
    assert Browser(control).login() == 401
    files.accounts.forget_totp(1)
    change = {"do": "password", "old": PASSWORD, "csrf": ann.jar["pihub_csrf"]}
    assert ann.form(page, **change, password="short")[0] == 400
    stolen = {**change, "old": "a guess at it"}
    assert ann.form(page, **stolen, password="another long sentence")[0] == 401
    assert ann.form(page, **change, password="another long sentence")[0] == 303
    assert ann.call("GET", f"{API}/me")[0] == 200
    assert other.call("GET", f"{API}/me")[0] == 401
    assert Browser(control).login() == 401
    third = Browser(control)
    assert third.login(password="another long sentence") == 303
    number = third.call("GET", f"{API}/me/sessions")[2]["items"][-1]["id"]
    assert ann.write("DELETE", f"{API}/me/sessions/{number}")[0] == 200
    assert third.call("GET", f"{API}/me")[0] == 401


def test_every_change_stands_in_the_audit_log(
    control: Control, ann: Browser, files: Services
) -> None:
    began = time.time()
    made = ann.write("POST", f"{API}/keys", {"name": "x"})[2]
    ann.write("PUT", f"{API}/keys/{made['id']}", {"name": "y", "scope": {}})
    ann.write("DELETE", f"{API}/keys/999")
    rows = ann.call("GET", f"{API}/audit")[2]["items"]
    seen = [(row["actor"], row["action"], row["result"], row["source"]) for row in rows[:3]]
    assert seen == [
        ("session:ann", "delete_keys_number", "not_found", AWAY),
        ("session:ann", "put_keys_number", "200", AWAY),
        ("session:ann", "post_keys", "201", AWAY),
    ]
    assert all(began <= row["at"] <= time.time() for row in rows[:3])
    assert (rows[1]["before"]["name"], rows[1]["after"]["name"]) == ("x", "y")
    assert made["token"] not in str(rows)
    assert ann.call("GET", f"{API}/audit/verify")[2]["broken"] is None
    assert rows[3]["action"] == "login"


def test_a_failed_login_stands_in_the_audit_log(control: Control, ann: Browser) -> None:
    thief = Browser(control, "198.51.100.4")
    assert thief.login(password="not the one") == 401
    row = ann.call("GET", f"{API}/audit")[2]["items"][0]
    assert (row["action"], row["result"], row["source"]) == ("login", "refused", "198.51.100.4")
    assert "ann" in row["actor"]
    assert "not the one" not in str(row)


def test_what_a_lock_refuses_stands_in_the_audit_log_but_does_not_fill_it(
    control: Control, ann: Browser
) -> None:
    thief = Browser(control, "198.51.100.4")
    for _ in range(5):
        assert thief.login(password="wrong") == 401
    for number in range(12):
        user = "ann" if number < 11 else "somebody"
        assert thief.form("/dashboard/login", user=user, password=PASSWORD)[0] == 429
    assert Browser(control, "203.0.113.9").login() == 429
    rows = [row for row in ann.call("GET", f"{API}/audit")[2]["items"]
            if row["result"] == "too_many_attempts"]  # fmt: skip
    assert [(row["actor"], row["action"], row["source"], row["after"]) for row in rows] == [
        ("nobody:ann", "login", "203.0.113.9", {"locked": "account", "refused": 1}),
        ("nobody:ann", "login", "198.51.100.4", {"locked": "source", "refused": 10}),
        ("nobody:ann", "login", "198.51.100.4", {"locked": "source", "refused": 1}),
    ]
    assert PASSWORD not in str(rows)


def test_a_lock_s_refusals_of_admin_keys_stand_in_the_audit_log(
    control: Control, ann: Browser
) -> None:
    thief = Browser(control, "198.51.100.4")
    guess = {"authorization": "Bearer ph_guessed"}
    assert [thief.call("GET", f"{API}/keys", **guess)[0] for _ in range(5)] == [401] * 5
    assert [thief.call("GET", f"{API}/keys", **guess)[0] for _ in range(9)] == [429] * 9
    rows = ann.call("GET", f"{API}/audit")[2]["items"]
    (row,) = (row for row in rows if row["source"] == "198.51.100.4")
    assert (row["action"], row["result"]) == ("admin key", "too_many_attempts")
    assert row["after"] == {"locked": "source", "refused": 1} and "guessed" not in str(rows)


def test_behind_a_trusted_proxy_the_client_is_who_it_tells(tmp_path: Path) -> None:
    from pihub.http.control.identity import Identity

    class Req:
        def __init__(self, **headers: str) -> None:
            self.headers = headers

        def get_header(self, name: str) -> str | None:
            return self.headers.get(name.replace("-", "_"))

    nothing: Any = None
    identity = Identity(nothing, nothing, nothing, nothing, ["127.0.0.1", "10.0.0.0/8"])

    def source(peer: str, told: str) -> str:
        request: Any = Req(x_pihub_told_for=told, x_pihub_told_proto="https")
        return identity._source(request, peer)[0]

    assert source("127.0.0.1", "203.0.113.5") == "203.0.113.5"
    assert source("127.0.0.1", "6.6.6.6, 203.0.113.5, 10.1.2.3") == "203.0.113.5"
    assert source("203.0.113.9", "127.0.0.1") == "203.0.113.9"
    assert source("127.0.0.1", "junk") == "127.0.0.1"
    assert source("6.6.6.6, 203.0.113.9", "1.1.1.1") == "203.0.113.9"
