"""`pihub check --security`: the findings, what mends them, and the grade."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from pihub.cli import exits

if TYPE_CHECKING:
    from pihub.ops.posture import Posture
    from pihub.settings.loaded import Loaded

TIMEOUT = 0.5


def posture(loaded: Loaded) -> Posture:
    """Reads the hub's files, if there are any, and knocks at Ollama's port."""
    from pihub.ops.posture import judge
    from pihub.settings.paths import database

    admin = second = False
    if (database(loaded.settings).parent / "control.db").exists():
        from pihub.cli.admin import open_files

        control = open_files(loaded.settings)
        try:
            admin = control.accounts.has_admin()
            second = all(
                user.totp is not None
                for user in control.accounts.people.users()
                if user.role in ("owner", "admin") and user.password and not user.disabled
            )
        finally:
            control.close()
    return judge(
        loaded.settings, loaded.secrets, admin=admin, second_factors=second, connects=_connects
    )


def report(loaded: Loaded) -> int:
    found = posture(loaded)
    for one in found.findings:
        print(f"{one.weight}: {one.what}\n    {one.mend}")
    print(f"Grade {found.grade} ({found.points} of 100)")
    if loaded.settings.access.mode == "production" and not found.fit_for_production:
        return exits.REFUSED
    return exits.OK


def require(loaded: Loaded) -> None:
    """Raises Failure below grade B in production mode."""
    if loaded.settings.access.mode != "production":
        return
    found = posture(loaded)
    if not found.fit_for_production:
        words = "; ".join(f"{one.what} ({one.mend})" for one in found.findings)
        raise exits.Failure(
            f'access.mode = "production" needs grade B, this is {found.grade}: {words}'
        )


def _connects(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), TIMEOUT):
            return True
    except OSError:
        return False
