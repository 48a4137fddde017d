"""Make and list the users of the control plane, and help one who is locked out.

It works on the hub's own files, so it needs no login, and runs beside a running hub.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from pihub.cli import configuration, exits

if TYPE_CHECKING:
    from pihub.security.opening import Control
    from pihub.settings.schema import Settings
    from pihub.store.people import UserRow

EXAMPLE = """Examples:
  pihub admin create ann
  pihub admin create ben --role viewer
  pihub admin list
  pihub admin reset-password ann"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a user; the first one opens the dashboard")
    create.add_argument("--role", default="owner", help="owner, admin, operator, ... (owner)")
    reset = actions.add_parser(
        "reset-password", help="another password; all logins of the user end"
    )
    reset.add_argument(
        "--without-totp", action="store_true", help="take the second factor away as well"
    )
    listing = actions.add_parser("list", help="show all users")
    for action in (create, reset):
        action.add_argument("name", help="what is typed to log in")
        action.add_argument(
            "--password-stdin", action="store_true", help="read it from standard input"
        )
    for action in (create, reset, listing):
        configuration.add_config(action)
        action.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    from pihub.errors import PihubError
    from pihub.security.actor import LOCAL

    loaded = configuration.read(args, quiet=True)
    control = open_files(loaded.settings)
    try:
        if args.action == "list":
            _show(control.accounts.people.users(), args.json)
            return exits.OK
        password = _password(args)
        if args.action == "create":
            user = control.accounts.create(args.name, password, args.role)
        else:
            user = control.accounts.named(args.name)
            control.accounts.set_password(user.id, password)
            if args.without_totp:
                control.accounts.forget_totp(user.id)
            user = control.accounts.get(user.id)
        control.audit.write(LOCAL, f"admin {args.action}", f"/users/{user.id}", "200", None,
                            _view(user))  # fmt: skip
    except PihubError as error:
        raise exits.Failure(error.message, exits.FAILED) from None
    finally:
        control.close()
    if args.json:
        print(json.dumps(_view(user)))
    elif args.action == "create":
        print(f"User {user.subject} ({user.role}) can log in at /dashboard/login.")
        print("If server.listen names other addresses than loopback: start the hub again.")
    else:
        print(f"User {user.subject} has another password; all logins have ended.")
    return exits.OK


def open_files(settings: Settings) -> Control:
    """The control database and its services; raises Failure."""
    from pihub.cli.keys import check_folder
    from pihub.errors import PihubError
    from pihub.security.opening import open_control
    from pihub.settings.paths import database

    check_folder(database(settings).parent)
    try:
        return open_control(settings)
    except PihubError as error:
        raise exits.Failure(error.message) from None


def _password(args: argparse.Namespace) -> str:
    if args.password_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise exits.Failure("there is no terminal to ask on: use --password-stdin", exits.USAGE)
    first = getpass.getpass("Password (12 characters or more): ")
    if getpass.getpass("Once more: ") != first:
        raise exits.Failure("the two are not the same", exits.FAILED)
    return first


def _view(user: UserRow) -> dict[str, Any]:
    return {
        "id": user.id,
        "issuer": user.issuer,
        "subject": user.subject,
        "role": user.role,
        "tenant": user.tenant_name or None,
        "second_factor": user.totp is not None,
        "disabled": bool(user.disabled),
        "last_login": user.last_login or None,
    }


def _show(users: list[UserRow], as_json: bool) -> None:
    if as_json:
        print(json.dumps([_view(user) for user in users]))
        return
    if not users:
        print("No users yet. Make one: pihub admin create NAME")
    for user in users:
        seen = "never"
        if user.last_login:
            seen = time.strftime("%Y-%m-%d %H:%M", time.localtime(user.last_login))
        state = "disabled" if user.disabled else "live"
        factor = "second factor" if user.totp is not None else "password only"
        print(f"{user.id:>3}  {user.subject:<24} {user.role:<10} {state:<9} {factor}  {seen}")
