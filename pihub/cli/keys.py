"""Create, list and revoke API keys.

The running hub is asked through its control socket; if none runs, the store is
changed directly. A key is shown once, when it is made, and kept only as a hash.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pihub.cli import configuration, exits
from pihub.cli.control_client import NotRunning, call

if TYPE_CHECKING:
    from pihub.security.keys import KeyService
    from pihub.settings.schema import Settings
    from pihub.store.rows import KeyRow

EXAMPLE = """Examples:
  pihub keys create --tenant default --name laptop
  pihub keys create --name guest --expires 7d
  pihub keys list
  pihub keys revoke 3"""

_SPAN = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser(
        "create",
        help="make a key and show it once",
        epilog="Example:\n  pihub keys create --tenant default --name laptop",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    create.add_argument("--tenant", default="default", help="whose key (default: default)")
    create.add_argument("--name", required=True, help="what it is for, such as laptop")
    create.add_argument(
        "--expires", type=_span, metavar="SPAN", help="90d, 12h, ... (default: never)"
    )
    listing = actions.add_parser(
        "list",
        help="show all keys (never the keys themselves)",
        epilog="Example:\n  pihub keys list --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    revoke = actions.add_parser(
        "revoke",
        help="put a key out of force at once",
        epilog="Example:\n  pihub keys revoke 3",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    revoke.add_argument("id", type=int, help="its number in `pihub keys list`")
    for action in (create, listing, revoke):
        configuration.add_config(action)
        action.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    loaded = configuration.read(args, quiet=True)
    if args.action == "create":
        found = create(loaded.settings, args.tenant, args.name, args.expires)
        if args.json:
            print(json.dumps(found))
        else:
            print(f"Key {found['id']} ({found['name']}, tenant {found['tenant']}):\n")
            print(f"  {found['token']}\n")
            print("It is shown only now; keep it where you keep passwords.")
    elif args.action == "list":
        rows = _all(loaded.settings)
        print(json.dumps(rows) if args.json else _table(rows))
    else:
        found = _ask(loaded.settings, "DELETE", f"/keys/{args.id}")
        print(
            json.dumps(found) if args.json else f"Key {found['id']} ({found['name']}) is revoked."
        )
    return exits.OK


def create(
    settings: Settings, tenant: str, name: str, lifetime: int | None = None
) -> dict[str, Any]:
    """A new key with its `token`; raises Failure."""
    value = {"tenant": tenant, "name": name, "expires_in": lifetime}
    made: dict[str, Any] = _ask(settings, "POST", "/keys", value)
    return made


def _all(settings: Settings) -> list[dict[str, Any]]:
    page = _ask(settings, "GET", "/keys?limit=1000")
    rows = list(page["items"])
    while page.get("next"):
        page = _ask(settings, "GET", f"/keys?limit=1000&cursor={quote(page['next'])}")
        rows += page["items"]
    return rows


def _ask(settings: Settings, method: str, target: str, value: Any = None) -> Any:
    """Of the hub, or of the store if no hub runs; the same shapes."""
    from pihub.settings.paths import run_dir

    try:
        return call(run_dir(settings) / "control.sock", method, target, value)
    except NotRunning:
        return _direct(settings, method, target, value)


def _direct(settings: Settings, method: str, target: str, value: Any) -> Any:
    from pihub.errors import BadRequest, NotFound, Overloaded, PihubError

    keys = open_store(settings)
    try:
        if method == "POST":
            made = keys.create(value["tenant"], value["name"], value["expires_in"])
            return {**_view(made.key), "token": made.token}
        if method == "GET":
            return {"items": [_view(row) for row in keys.list()]}
        return _view(keys.revoke(int(target.rpartition("/")[2])))
    except (BadRequest, NotFound, Overloaded) as error:
        raise exits.Failure(error.message, exits.FAILED) from None
    except PihubError as error:
        raise exits.Failure(error.message) from None
    finally:
        keys.close()


def open_store(settings: Settings) -> KeyService:
    """The key store's own files; raises Failure if they cannot be used."""
    from pihub.errors import PihubError
    from pihub.security.keys import open_keys
    from pihub.settings.paths import database

    folder = database(settings).parent
    check_folder(folder)
    try:
        return open_keys(settings)
    except PihubError as error:
        raise exits.Failure(error.message) from None
    except Exception as error:  # the store's own faults: locked, damaged, full
        raise exits.Failure(f"the store in {folder} cannot be opened: {error}") from error


def check_folder(folder: Path) -> None:
    """That this user may keep the hub's files there; makes it. Raises Failure."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        owner = folder.stat().st_uid
    except OSError as error:
        raise exits.Failure(
            f"{folder} cannot be made ({error.strerror}): create it for this user, or set "
            "store.url to a place that this user may write"
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise exits.Failure(
            f"{folder} is not writable for this user: run this as its owner, or set store.url"
        )
    if os.geteuid() == 0 and owner != 0:
        name = _user(owner)
        raise exits.Failure(
            f"{folder} belongs to {name}: files that root makes there would lock that user out; "
            f"run `sudo -u {name} pihub ...`"
        )


def _user(uid: int) -> str:
    """As sudo takes it: by name, if the user has one."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"'#{uid}'"


def _view(row: KeyRow) -> dict[str, Any]:
    """As the admin API shows a key."""
    import msgspec

    from pihub.security.keyview import fields

    shown: dict[str, Any] = msgspec.to_builtins(fields(row))
    return shown


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No keys yet. Make one: pihub keys create --name laptop"
    head = ("ID", "TENANT", "NAME", "KEY", "STATE", "CREATED", "EXPIRES")
    lines = [head]
    for row in rows:
        lines.append(
            (
                str(row["id"]),
                row["tenant"],
                row["name"],
                row["hint"],
                row["state"],
                _date(row["created"]),
                _date(row["expires"]) if row["expires"] else "never",
            )
        )
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _date(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _span(text: str) -> int:
    match = _SPAN.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError("a span is a number with s, m, h or d, such as 90d")
    return int(match[1]) * _UNITS[match[2]]
