"""Users: who may log in, with which role, how, and from where they are logged in now."""

from __future__ import annotations

from collections.abc import Mapping

from pihub.dashboard import words
from pihub.dashboard.parts import Action, Card, Cards, Cell, Field, Line, Screen, Table, Tone
from pihub.dashboard.sources import Sources
from pihub.security.opening import Control
from pihub.security.permissions import ROLES
from pihub.store.people import SessionRow, UserRow

ROLE_HELP = (
    "Owners and admins may change everything, an operator runs the hub, an analyst and a viewer "
    "only look. Custom roles are made by the admin API."
)


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    control: Control | None = sources.services.control
    people = [] if control is None else control.accounts.people.users()
    open_ = [] if control is None else [
        (user, row)
        for user in people
        for row in control.accounts.people.sessions(user.id)
        if not control.sessions.ended(row)
    ]  # fmt: skip
    bare = [one for one in people if not one.totp and not one.disabled]
    return Screen(
        "Users",
        (
            Cards(
                (
                    Card("People", words.count(len(people)), "who may log in"),
                    Card("Logged in", words.count(len(open_)), "browsers, now"),
                    Card("Without a second factor", words.count(len(bare)),
                         "they set it up under Account", tone="look" if bare else ""),
                )
            ),
            Table(
                "People",
                ("Name", "Role", "State", "Second factor", "#Last login"),
                tuple(_person(one) for one in people),
                "Nobody yet: the hub listens to this machine only. Make the first admin with "
                "`pihub admin create NAME`, or with the link that the hub printed at its start.",
                note=ROLE_HELP,
                forms=(_new(),),
            ),
            Table(
                "Logged in now",
                ("Who", "From", "Browser", "#Since"),
                tuple(_session(user, row) for user, row in open_),
                "Nobody is logged in by a browser.",
            ),
        ),
    )  # fmt: skip


def _new() -> Action:
    return Action(
        "Add a person", "POST", "/users",
        (
            Field("subject", "Name to log in with", required=True),
            Field("password", "First password, 12 characters or more", "password", required=True),
            Field("role", "Role", "select", "viewer", tuple(ROLES)),
        ),
        permission="users:write",
    )  # fmt: skip


def _person(one: UserRow) -> Line:
    state: tuple[str, Tone] = ("disabled", "idle") if one.disabled else ("may log in", "well")
    return Line(
        (
            Cell(one.subject, one.tenant_name or (one.name if one.name != one.subject else "")),
            Cell(one.role),
            Cell(state[0], tone=state[1]),
            Cell("on" if one.totp else "off", tone="well" if one.totp else "look"),
            Cell(words.ago(one.last_login)),
        ),
        _actions(one),
    )


def _actions(one: UserRow) -> tuple[Action, ...]:
    where = f"/users/{one.id}"
    password = Action(
        "New password", "POST", f"{where}/password",
        (Field("password", "The new password", "password", required=True),),
        permission="users:write", sure=f"Set it? All sessions of {one.subject} end.",
    )  # fmt: skip
    if not one.totp:
        return (password,)
    lost = Action(
        "Take the second factor away", "DELETE", f"{where}/totp", permission="users:write",
        sure=f"Take it away from {one.subject}? Do it only for a lost phone.",
    )  # fmt: skip
    return password, lost


def _session(user: UserRow, row: SessionRow) -> Line:
    end = Action(
        "Log out", "DELETE", f"/sessions/{row.id}", permission="sessions:write",
        sure=f"Log {user.subject} out there?",
    )  # fmt: skip
    return Line(
        (
            Cell(user.subject, user.role),
            Cell(row.source or "this machine"),
            Cell(words.browser(row.agent)),
            Cell(words.ago(row.created)),
        ),
        (end,),
    )
