"""Logging in and out, the first admin, one's own account: plain forms, no script needed."""

from __future__ import annotations

from typing import Any

import falcon

from pihub.dashboard import words
from pihub.dashboard.menu import Render
from pihub.dashboard.policy import guard
from pihub.dashboard.welcome import HERE as WELCOME
from pihub.errors import LoginRequired, PihubError, TooManyAttempts
from pihub.security.actor import Actor
from pihub.security.opening import Control
from pihub.security.refusals import write_refusal
from pihub.security.sessions import COOKIE, CSRF_COOKIE, SECURE_COOKIE, Login
from pihub.store.people import UserRow

HOME = "/dashboard"
LOGIN = "/dashboard/login"


def login_pages(control: Control, templates: Render) -> list[tuple[str, object]]:
    """(URI template, resource); http/control/gate.py leaves the first two open."""
    return [
        (LOGIN, LoginPage(control, templates)),
        ("/dashboard/setup/{token}", SetupPage(control, templates)),
        ("/dashboard/logout", Logout(control)),
        ("/dashboard/account", AccountPage(control, templates)),
    ]


class LoginPage:
    """GET, POST /dashboard/login"""

    def __init__(self, control: Control, templates: Render) -> None:
        self._control = control
        self._templates = templates

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._show(resp, onward(req.get_param("next", default="")))

    on_head = on_get

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        form, who = req.env.get("pihub.form", {}), req.env["pihub.who"]
        subject = form.get("user", "")
        away = onward(form.get("next", ""))
        try:
            user = self._control.accounts.login(
                subject, form.get("password", ""), form.get("code", ""), who.source
            )
        except TooManyAttempts as error:
            write_refusal(
                self._control.audit, self._control.accounts.lockout, "login", "/login",
                subject[:63], who.source,
            )  # fmt: skip
            resp.status = falcon.HTTP_429
            resp.set_header("retry-after", str(int(error.retry_after or 1)))
            self._show(resp, away, subject, error.message)
            return
        except LoginRequired as error:
            actor = Actor("nobody", subject[:63], frozenset(), source=who.source)
            self._control.audit.write(actor, "login", "/login", "refused")
            resp.status = falcon.HTTP_401
            self._show(resp, away, subject, error.message)
            return
        enter(self._control, req, resp, user, away)

    def _show(
        self, resp: falcon.Response, away: str, subject: str = "", fault: str = ""
    ) -> None:
        self._templates.answer(
            resp,
            "login.html",
            page="login",
            next=away,
            user=subject[:63],
            fault=fault,
            setup=not self._control.accounts.has_admin(),
        )


class SetupPage:
    """GET, POST /dashboard/setup/TOKEN: the first admin, once."""

    def __init__(self, control: Control, templates: Render) -> None:
        self._control = control
        self._templates = templates

    def on_get(self, req: falcon.Request, resp: falcon.Response, token: str) -> None:
        good = self._control.accounts.link_is_good(token)
        if not good:
            resp.status = falcon.HTTP_404
        self._templates.answer(
            resp, "setup.html", page="setup", good=good, token=token, user="", fault=""
        )

    def on_post(self, req: falcon.Request, resp: falcon.Response, token: str) -> None:
        form, who = req.env.get("pihub.form", {}), req.env["pihub.who"]
        subject, password = form.get("user", ""), form.get("password", "")
        fault = ""
        try:
            if password != form.get("again", ""):
                fault = "the two passwords are not the same"
            else:
                user = self._control.accounts.setup(token, subject, password)
                actor = Actor("nobody", subject, frozenset(), source=who.source)
                self._control.audit.write(actor, "setup", "/setup", "201", None, {"user": subject})
                enter(self._control, req, resp, user, WELCOME)
                return
        except PihubError as error:
            fault = error.message
        resp.status = falcon.HTTP_400
        good = self._control.accounts.link_is_good(token)
        self._templates.answer(
            resp, "setup.html", page="setup", good=good, token=token, user=subject, fault=fault
        )


class Logout:
    """POST /dashboard/logout"""

    tenanted = True

    def __init__(self, control: Control) -> None:
        self._control = control

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        who = req.env["pihub.who"]
        self._control.sessions.end(who.cookie)
        self._control.audit.write(who.actor, "logout", "/logout", "303")
        for name in (COOKIE, SECURE_COOKIE, CSRF_COOKIE):
            secure = "; Secure" if name == SECURE_COOKIE else ""
            resp.append_header("set-cookie", f"{name}=; Path=/; Max-Age=0{secure}")
        # Clear-Site-Data (W3C): nothing of the pages stays in the browser.
        resp.set_header("clear-site-data", '"cache", "storage"')
        guard(resp)
        resp.status = falcon.HTTP_303
        resp.set_header("location", LOGIN)


class AccountPage:
    """GET, POST /dashboard/account: one's password, second factor and browsers."""

    tenanted = True

    def __init__(self, control: Control, templates: Render) -> None:
        self._control = control
        self._templates = templates

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._show(req, resp)

    on_head = on_get

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Form fields: `do` (password, totp, end) and what that needs."""
        form, who = req.env.get("pihub.form", {}), req.env["pihub.who"]
        accounts, number = self._control.accounts, who.actor.number
        if not who.session:
            raise LoginRequired("log in first")
        what = form.get("do", "")
        try:
            if what == "password":
                accounts.change_own_password(
                    number, form.get("old", ""), form.get("password", ""), who.source
                )
                self._told(who, what)
                # Every session of the user has ended; this browser gets a new one.
                enter(self._control, req, resp, accounts.get(number), "/dashboard/account")
            elif what == "totp":
                accounts.confirm(number, form.get("old", ""), who.source)
                made = accounts.enrol(number, (req.host or "pihub"))
                self._told(who, what)
                self._show(req, resp, made=made)
            elif what == "end":
                for row in accounts.people.sessions(number):
                    if str(row.id) == form.get("session", ""):
                        accounts.people.end(row.id)
                        self._told(who, "end session")
                resp.status = falcon.HTTP_303
                resp.set_header("location", "/dashboard/account")
            else:
                self._show(req, resp, fault="nothing was asked for")
        except PihubError as error:
            resp.status = error.status
            self._show(req, resp, fault=error.message)

    def _told(self, who: Any, what: str) -> None:
        self._control.audit.write(who.actor, f"own {what}", "/account", "200")

    def _show(self, req: falcon.Request, resp: falcon.Response, **more: Any) -> None:
        who = req.env["pihub.who"]
        user = self._control.accounts.people.user(who.actor.number) if who.session else None
        sessions = [
            row
            for row in self._control.accounts.people.sessions(who.actor.number)
            if not self._control.sessions.ended(row)
        ]
        self._templates.answer(
            resp,
            "account.html",
            who.actor,
            **{"page": "account", "fault": "", "made": None, **more},
            who=who,
            account=user,
            sessions=sessions if user else [],
            browser=words.browser,
            csrf=who.csrf,
        )


def enter(
    control: Control, req: falcon.Request, resp: falcon.Response, user: UserRow, away: str
) -> None:
    """A new session, whatever the browser had before, and on to the page."""
    who = req.env["pihub.who"]
    agent = req.get_header("user-agent") or ""
    made = control.sessions.begin(user, who.source, agent, who.cookie)
    actor = Actor("session", user.subject, frozenset(), user.tenant, who.source, user.id)
    control.audit.write(actor, "login", "/login", "303")
    for line in cookies(made, secure=who.secure, length=control.sessions.length):
        resp.append_header("set-cookie", line)
    guard(resp)
    resp.status = falcon.HTTP_303
    resp.set_header("location", away)


def cookies(made: Login, *, secure: bool, length: int) -> list[str]:
    """The session's number, which no script can read, and the token that scripts send."""
    tail = f"; Path=/; SameSite=Strict; Max-Age={length}{'; Secure' if secure else ''}"
    name = SECURE_COOKIE if secure else COOKIE
    return [f"{name}={made.cookie}; HttpOnly{tail}", f"{CSRF_COOKIE}={made.csrf}{tail}"]


def onward(text: str) -> str:
    """Only to a page of the dashboard, never to another site."""
    fine = text.startswith(HOME) and not text.startswith(LOGIN) and "\\" not in text
    return text if fine and text.isascii() and text.isprintable() and len(text) < 500 else HOME
