"""`python -m tests.compat PYTHON`: a hub and simulated upstreams for `clients.py`.

PYTHON is the interpreter of the environment that has the others' programs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.system.hub import HubProcess, Upstreams


def main() -> int:
    """The exit code of the clients."""
    clients = Path(__file__).with_name("clients.py")
    with Upstreams() as upstreams, tempfile.TemporaryDirectory() as folder:
        upstreams.pace(0)
        with HubProcess(Path(folder), upstreams, workers=1) as hub:
            # litellm would fetch its price table from the network.
            env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
            return subprocess.run(
                [sys.argv[1], str(clients), hub.url, hub.key], env=env, timeout=600
            ).returncode


if __name__ == "__main__":
    raise SystemExit(main())
