"""gunicorn's application object and configuration, made from pihub's settings."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from gunicorn.app.base import BaseApplication
from gunicorn.workers.base import Worker

from pihub.errors import StartupError
from pihub.server.engine_probe import require_engine
from pihub.server.ports import Hub, HubFactory, Inherited
from pihub.settings import workers
from pihub.settings.paths import run_dir
from pihub.settings.schema import Settings
from pihub.settings.sizes import parse_size

BACKLOG = 1024
"""Connections that wait while all workers are busy; the kernel caps it at somaxconn."""
HUNG = 30
"""Seconds without a sign of life after which a worker is killed and replaced."""
HEARTBEATS = "/dev/shm"  # noqa: S108 - gunicorn makes an unlinked file in it, mode 0600
"""Memory, so that signs of life do not wear out an SD card."""
SOCKET_PATH_MAX = 107
"""Bytes of a unix socket's path (sun_path of unix(7) without its NUL)."""


def worker_count(settings: Settings, n_slots: int) -> int:
    """How many workers to run: as many as the settings say.

    At most half of the arena's worker slots, so that a reload can run the old and the
    new side by side, but at least one.
    """
    return max(1, min(workers.worker_count(settings), (n_slots - 1) // 2))


def control_socket(settings: Settings) -> Path:
    """The unix socket of the control process."""
    return run_dir(settings) / "control.sock"


def prepare_run_dir(settings: Settings) -> None:
    """Create it, for this user only. Raises StartupError."""
    path = run_dir(settings)
    if len(os.fsencode(path / "control.sock")) > SOCKET_PATH_MAX:
        raise StartupError(
            f"server.run_dir is too long for a unix socket ({path}): choose a path of at most "
            f"{SOCKET_PATH_MAX - len('/control.sock')} bytes."
        )
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StartupError(
            f"The run directory {path} cannot be made: {error.strerror}. "
            "Create it, or set server.run_dir to a directory that this user may write."
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise StartupError(
            f"The run directory {path} is not writable for this user. "
            "Change its owner, or set server.run_dir."
        )


def modern(_: object, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """TLS 1.2 or newer (RFC 8996), for gunicorn's `ssl_context`."""
    context = make()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def worker_class(engine: str) -> type[Worker]:
    """Imported on demand: each engine pulls in modules that the other does not need."""
    if engine == "gthread":
        from pihub.server.worker_gthread import GthreadHubWorker

        return cast("type[Worker]", GthreadHubWorker)
    from pihub.server.worker_meinheld import MeinheldHubWorker

    return cast("type[Worker]", MeinheldHubWorker)


class HubApplication(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
    """Holds the settings and, once loaded, the hub. One per arbiter image."""

    def __init__(
        self, settings: Settings, factory: HubFactory, inherited: Inherited | None
    ) -> None:
        self.settings = settings
        self._factory = factory
        self._inherited = inherited
        self._hub: Hub | None = None
        super().__init__(prog="pihub")

    @property
    def hub(self) -> Hub:
        if self._hub is None:
            self._hub = self._factory(self.settings, self._inherited)
        return self._hub

    def do_load_config(self) -> None:
        """As gunicorn's, but faults are raised instead of printed."""
        try:
            self.load_default_config()
            self.load_config()
            self.cfg.validate()
        except StartupError:
            raise
        except Exception as error:
            raise StartupError(f"The server's settings cannot be used: {error}") from error

    def load_config(self) -> None:
        server = self.settings.server
        require_engine(server.engine)
        prepare_run_dir(self.settings)
        values: dict[str, Any] = {
            "proc_name": "pihub",
            "bind": [part.strip() for part in server.listen.split(",")],
            "backlog": BACKLOG,
            "worker_class": worker_class(server.engine),
            "workers": 1,  # the arbiter sets the number when the arena is known
            "threads": server.threads if server.engine == "gthread" else 1,
            "worker_connections": server.connections,
            "keepalive": max(1, round(server.keepalive)),
            "timeout": HUNG,
            "graceful_timeout": max(1, round(server.graceful_timeout)),
            "preload_app": True,
            # the admin API is the control plane; gunicorn's own socket stays shut
            "control_socket_disable": True,
            "worker_tmp_dir": HEARTBEATS if os.path.isdir(HEARTBEATS) else None,
            "pidfile": None,  # the arbiter keeps a locked one
            # gunicorn's own lines only when something is wrong
            "loglevel": "debug" if server.log_level == "debug" else "warning",
            "errorlog": "-",
            "accesslog": None,
            # each engine refuses what is longer than limits.header in all; these only
            # bound the parser
            "limit_request_line": 8190,
            "limit_request_fields": 128,
            "limit_request_field_size": min(parse_size(self.settings.limits.header), 65536),
            # clients must not set the scheme or name of the script
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "secure_scheme_headers": {},
        }
        if server.tls_cert:
            values |= {
                "certfile": server.tls_cert, "keyfile": server.tls_key, "ssl_context": modern,
                "do_handshake_on_connect": False,
            }  # fmt: skip
        if "control_socket_disable" not in self.cfg.settings:
            del values["control_socket_disable"]  # older gunicorns have no such socket
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> Hub:
        """gunicorn calls this for preload_app, before the first fork."""
        return self.hub
