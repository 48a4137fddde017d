"""`python -m tests.compat PYTHON`: a hub and simulated upstreams for `clients.py`, and what the
hub tells a collector meanwhile for `otlp.py`.

PYTHON is the interpreter of the environment that has the others' programs.
"""

from __future__ import annotations

import gzip
import http.client
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.system.hub import HubProcess, Upstreams

HERE = Path(__file__).parent
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OTEL = """
[otel]
endpoint = "http://127.0.0.1:{port}"
interval = 1
"""


class Collector:
    """Keeps what is posted to it, a line each."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        made = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    data = gzip.decompress(data)
                made.lines.append(f"{self.path}\t{json.dumps(json.loads(data))}")
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def told(self, wanted: str) -> bool:
        return any(wanted in line for line in self.lines)


def ask(hub: HubProcess) -> None:
    """A chat within a client's trace."""
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=30)
    body = json.dumps({"model": "local", "messages": [{"role": "user", "content": "traced"}]})
    connection.request("POST", "/v1/chat/completions", body, {
        "authorization": f"Bearer {hub.key}", "content-type": "application/json",
        "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
    })  # fmt: skip
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()
    connection.close()


def main() -> int:
    """The exit code of the worse of both."""
    collector = Collector()
    with Upstreams() as upstreams, tempfile.TemporaryDirectory() as folder:
        upstreams.pace(0)
        extra = OTEL.format(port=collector.port)
        with HubProcess(Path(folder), upstreams, workers=1, extra=extra) as hub:
            ask(hub)
            end = time.monotonic() + 30
            while not (collector.told(TRACE) and collector.told("resourceMetrics")):
                assert time.monotonic() < end, f"the collector was told {len(collector.lines)}"
                time.sleep(0.1)
            told = Path(folder) / "told.txt"
            told.write_text("\n".join(collector.lines))
            code = subprocess.run(
                [sys.argv[1], str(HERE / "otlp.py"), str(told), TRACE], timeout=60
            ).returncode
            # litellm would fetch its price table from the network.
            env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
            clients = [sys.argv[1], str(HERE / "clients.py"), hub.url, hub.key]
            return max(code, subprocess.run(clients, env=env, timeout=600).returncode)


if __name__ == "__main__":
    raise SystemExit(main())
