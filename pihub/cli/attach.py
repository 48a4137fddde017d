"""Find the running hub and open its arena, read-only."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pihub.cli.exits import UNREACHABLE, Failure

if TYPE_CHECKING:
    from pihub.shared.state import SharedState


@dataclass(frozen=True)
class RunningHub:
    """What `hub.json` in the run folder says, and the arena behind it."""

    pid: int
    listen: str
    workers: int
    rows: dict[str, int]
    """Row of each upstream and API in the breakers."""
    state: SharedState
    identity: tuple[int, int]
    """Of the arena's file: a reload may make another one."""


def attach(run_dir: Path) -> RunningHub:
    """Raises Failure if no hub runs there, or if it is not this user's."""
    info = _info(run_dir)
    path = f"/proc/{info['pid']}/fd/{info['arena_fd']}"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _not_running(run_dir) from None
    except PermissionError:
        raise Failure(
            f"the hub (process {info['pid']}) belongs to another user: run this as that user",
            UNREACHABLE,
        ) from None
    try:
        from pihub.shared.state import SharedState

        stat = os.fstat(fd)
        state = SharedState.attach(fd)
    except (ValueError, OSError) as error:
        os.close(fd)
        raise Failure(
            f"the hub's arena does not fit this program ({error}): is it another version?",
            UNREACHABLE,
        ) from None
    return RunningHub(
        info["pid"],
        info["listen"],
        info["workers"],
        dict(info.get("upstreams", {})),
        state,
        (stat.st_dev, stat.st_ino),
    )


def still(run_dir: Path, hub: RunningHub) -> bool:
    """Whether the hub that was attached to is the one that runs now."""
    try:
        info = _info(run_dir)
        stat = os.stat(f"/proc/{info['pid']}/fd/{info['arena_fd']}")
    except (Failure, OSError):
        return False
    return hub.identity == (stat.st_dev, stat.st_ino)


def _info(run_dir: Path) -> dict[str, Any]:
    try:
        found = json.loads((run_dir / "hub.json").read_text())
        return {"pid": int(found["pid"]), "arena_fd": int(found["arena_fd"]), **found}
    except FileNotFoundError:
        raise _not_running(run_dir) from None
    except PermissionError:
        raise Failure(f"{run_dir} is not readable for this user", UNREACHABLE) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failure(f"{run_dir}/hub.json cannot be read: {error}", UNREACHABLE) from None


def _not_running(run_dir: Path) -> Failure:
    return Failure(
        f"no hub runs in {run_dir}: start it with `pihub serve`, or name its "
        "configuration with --config",
        UNREACHABLE,
    )
