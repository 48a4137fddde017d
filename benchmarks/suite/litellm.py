"""LiteLLM's proxy as a peer: one worker before the same upstream, without a database.

Started only where its command `litellm` is on the PATH (`pip install 'litellm[proxy]'` in
an environment of its own). Its configuration is that of its "quick start" with one model;
logging off, as its production page advises.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.gateway import peers

KEY = "sk-benchmark"
CONFIG = """
model_list:
  - model_name: bench
    litellm_params:
      model: openai/m1
      api_base: http://127.0.0.1:{upstream}/v1
      api_key: none
general_settings:
  master_key: {key}
litellm_settings:
  set_verbose: false
  telemetry: false
"""
STARTS = 180.0
"""Seconds: it imports for long, on a Pi for very long."""


def installed() -> bool:
    return shutil.which("litellm") is not None


class LiteLLM:
    """The proxy with one worker, pinned to a core. Raises SystemExit if it does not start."""

    def __init__(self, folder: Path, upstream: int, core: int) -> None:
        folder.mkdir()
        self.port = peers.free_port()
        config = folder / "config.yaml"
        config.write_text(CONFIG.format(upstream=upstream, key=KEY))
        self.headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
        began = time.perf_counter()
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), "litellm", "--config", str(config),
                 "--host", "127.0.0.1", "--port", str(self.port), "--num_workers", "1"],
                stdout=log, stderr=log, cwd=folder,
                env={**os.environ, "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
            )  # fmt: skip
        while not self._answers():
            if self.process.poll() is not None or time.perf_counter() - began > STARTS:
                raise SystemExit("litellm does not start: " + (folder / "log").read_text()[-2000:])
            time.sleep(0.1)
        self.started = time.perf_counter() - began

    def _answers(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/health/liveliness"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
