"""Listening sockets: opened once, kept across reloads as long as they are configured."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from gunicorn import sock as gunicorn_sock
from gunicorn import util

from pihub.errors import StartupError

SYSTEMD = "systemd:"
"""Prefix of the names of sockets that systemd passed (socket activation)."""
CONTROL_BACKLOG = 128


class Listeners:
    """The public sockets by the address under which they were configured."""

    def __init__(self, cfg: Any, log: Any) -> None:
        self._cfg = cfg
        self._log = log
        self._by_address: dict[str, Any] = {}

    @property
    def sockets(self) -> list[Any]:
        """gunicorn socket wrappers, in the order of the configuration."""
        return list(self._by_address.values())

    def describe(self) -> list[str]:
        """URLs with the real port, also where port 0 was configured."""
        return [str(listener) for listener in self._by_address.values()]

    def fds(self) -> list[tuple[str, int]]:
        return [(address, item.fileno()) for address, item in self._by_address.items()]

    def open(
        self,
        addresses: Iterable[str],
        inherited: Sequence[tuple[str, int]],
        systemd_fds: Sequence[int] = (),
    ) -> None:
        """Reuse what was inherited, bind the rest, close what is configured no more.

        Raises StartupError when a socket cannot be bound at the first start. At a
        reload the old sockets are kept instead: a hub that serves stays reachable.
        """
        old = dict(inherited)
        activated = {name: fd for name, fd in old.items() if name.startswith(SYSTEMD)}
        activated.update({f"{SYSTEMD}{fd}": fd for fd in systemd_fds})
        if activated:
            for name, fd in activated.items():
                self._adopt(name, old.pop(name, fd))
        else:
            try:
                for address in addresses:
                    if address in old:
                        self._adopt(address, old.pop(address))
                    else:
                        self._by_address[address] = self._bind(address)
            except StartupError as error:
                if not inherited:
                    raise
                self._log.error("%s The old listening sockets stay in use.", error.message)
                for address, fd in old.items():
                    self._adopt(address, fd)
                old = {}
        for fd in old.values():
            os.close(fd)

    def close(self) -> None:
        """Unix socket files that the hub made are removed."""
        for name, listener in self._by_address.items():
            path = listener.cfg_addr
            listener.close()
            if isinstance(path, str) and not name.startswith(SYSTEMD):
                Path(path).unlink(missing_ok=True)
        self._by_address = {}

    def _adopt(self, name: str, fd: int) -> None:
        probe = socket.socket(fileno=os.dup(fd))
        with probe:
            address = probe.getsockname()
        kind = _kind(address)
        self._by_address[name] = kind(address, self._cfg, self._log, fd=fd)

    def _bind(self, address: str) -> Any:
        try:
            parsed = util.parse_address(address)
            return _kind(parsed)(parsed, self._cfg, self._log)
        except (OSError, ValueError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise StartupError(
                f"Cannot listen on {address}: {reason}. "
                "Stop the program that uses it, or change server.listen."
            ) from error


def _kind(address: Any) -> Any:
    if isinstance(address, tuple):
        return gunicorn_sock.TCP6Socket if ":" in address[0] else gunicorn_sock.TCPSocket
    return gunicorn_sock.UnixSocket


def open_control(path: Path, inherited: tuple[str, int] | None) -> socket.socket:
    """The control process's unix socket, mode 0600, made by the arbiter before fork.

    It outlives control processes: while none runs, requests wait in its backlog.
    """
    if inherited is not None:
        old_path, fd = inherited
        if old_path == str(path):
            return socket.socket(fileno=fd)
        os.close(fd)
        Path(old_path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old_umask = os.umask(0o177)
    try:
        listener.bind(str(path))
        listener.listen(CONTROL_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartupError(
            f"Cannot make the control socket {path}: {error.strerror}. "
            "Check the permissions of server.run_dir."
        ) from error
    finally:
        os.umask(old_umask)
    return listener
