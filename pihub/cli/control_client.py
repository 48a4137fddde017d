"""The admin API of the running hub, over its unix socket."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from pihub.cli import exits

TIMEOUT = 10.0
API = "/admin/api/v1"


class NotRunning(Exception):
    """Nobody listens on the socket."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def call(path: Path, method: str, target: str, value: Any = None) -> Any:
    """The answer's JSON. Raises NotRunning, and Failure if the hub refuses or hangs."""
    connection = _UnixConnection(path)
    data = None if value is None else json.dumps(value).encode()
    headers = {"content-type": "application/json"} if data else {}
    try:
        connection.request(method, API + target, data, headers)
        answer = connection.getresponse()
        status, body = answer.status, answer.read()
    except (FileNotFoundError, ConnectionRefusedError):
        raise NotRunning from None
    except PermissionError:
        raise exits.Failure(
            f"{path} belongs to another user: run this as the hub's user, such as "
            "`sudo -u pihub pihub ...`",
            exits.UNREACHABLE,
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise exits.Failure(
            f"the hub's control process does not answer on {path} ({error}); try again, "
            "or look into the hub's log",
            exits.UNREACHABLE,
        ) from None
    finally:
        connection.close()
    try:
        found = json.loads(body) if body else None
    except ValueError:
        found = None
    if status >= 400:
        raise exits.Failure(f"the hub refused ({status}): {_reason(found)}", exits.FAILED)
    return found


def _reason(found: Any) -> str:
    """Of problem details (RFC 9457), or of whatever came."""
    if isinstance(found, dict):
        for key in ("detail", "message", "title", "error"):
            if isinstance(found.get(key), str):
                return str(found[key])
    return "no reason given"
