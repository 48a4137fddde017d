"""The suites of `make security`: every one against this tree and a hub of its own on loopback.

    python -m tests.security_suite TOOLS [--short]

TOOLS: the environment with bandit, pip-audit, schemathesis, sqlmap, wapiti and atheris
(deploy/security.sh makes it). `--short`: about four minutes; else about twenty minutes.
Ends with 1 if anything was found, and if anything could not be done but what `--without NAME`
names. pip-audit asks an advisory service; where none is reached, run it elsewhere with the same
lock file: `pip-audit -r requirements.lock --require-hashes --disable-pip`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pihub.demo.harness import Demo
from pihub.security.permissions import PERMISSIONS
from tests.security_suite.attacks import SLOW, slowly, smuggle
from tests.security_suite.fuzz import targets
from tests.system.hub import HubProcess

HERE = Path(__file__).parents[2]
JUDGED = "B104,B108,B310,B608,B704"
"""ruff's S104, S108, S310, S608 and S704 see the same places; each has its reason in the code."""
MESSAGES = [{"role": "user", "content": "hi"}]
SEARCHES = (
    "requests?limit=1&model=local&upstream=ollama&status=200",
    "keys?tenant=default&state=live",
    "webhooks/events?source=a&type=b&object=c",
)
"""What sqlmap is given: addresses that are answered, since of a refusal it learns nothing."""


class Suites:
    """Runs them one after the other and remembers."""

    def __init__(self, tools: Path, *, short: bool) -> None:
        self.tools = tools / "bin"
        self.packages = next((tools / "lib").glob("python*/site-packages"))
        self.scale = 1 if short else 5
        self.found: list[str] = []
        self.left: list[str] = []

    def stage(self, name: str, work: Callable[[], str]) -> None:
        """`work` returns what is wrong, empty if nothing."""
        began = time.monotonic()
        try:
            wrong = work()
        except (OSError, subprocess.SubprocessError, AssertionError) as error:
            wrong = f"{type(error).__name__}: {error}"
        took = time.monotonic() - began
        print(f"{'FOUND' if wrong else 'fine '} {took:6.1f} s  {name}", flush=True)
        if wrong:
            print(f"{wrong[-3000:]}\n", flush=True)
            self.found.append(name)

    def run(self, *command: str, seconds: int, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, cwd=HERE, check=False,
            env={**os.environ, **env},
        )  # fmt: skip

    # ---- without a hub -----------------------------------------------------------

    def bandit(self) -> str:
        done = self.run(
            str(self.tools / "bandit"), "-q", "-r", "pihub", "-ll", "-s", JUDGED, seconds=600
        )
        return done.stdout + done.stderr if done.returncode else ""

    def audit(self) -> str:
        done = self.run(
            str(self.tools / "pip-audit"), "-r", "requirements.lock", "--require-hashes",
            "--disable-pip", "-f", "json", "--progress-spinner", "off", seconds=120,
        )  # fmt: skip
        try:
            rows = json.loads(done.stdout)["dependencies"]
        except (ValueError, KeyError):
            self.left.append("pip-audit: the advisory service does not answer")
            return ""
        unknown = [row["name"] for row in rows if "skip_reason" in row]
        if unknown:
            self.left.append(
                f"pip-audit: {len(unknown)} of {len(rows)} packages are not known to the "
                "advisory service that this machine reaches"
            )
        bad = [row for row in rows if row.get("vulns")]
        return json.dumps(bad, indent=1) if bad else ""

    def fuzz(self, name: str) -> str:
        seconds = 1 if name == "all" else 20
        done = self.run(
            sys.executable, "-m", "tests.security_suite.fuzz", name, "--seconds", str(seconds),
            seconds=seconds + 600, PYTHONPATH=f"{HERE}:{self.packages}",
        )  # fmt: skip
        return (done.stdout + done.stderr)[-2500:] if done.returncode else ""

    # ---- against a hub -----------------------------------------------------------

    def schemathesis(self, hub: HubProcess, key: str) -> str:
        """No 5xx, and no answer that the document does not describe. What reads the configuration
        again is left out: for the moment of a restart the answer is 503, as documented."""
        seconds = 40 * self.scale
        done = self.run(
            str(self.tools / "schemathesis"), "run", f"{hub.url}/admin/api/openapi.json",
            "-H", f"Authorization: Bearer {key}", "--max-time", str(seconds), "-n", "10",
            "--exclude-path-regex", "/config/(reload|versions/.*/restore)$",
            "--phases", "coverage,fuzzing", "-c",
            "not_a_server_error,response_schema_conformance,content_type_conformance",
            seconds=seconds + 60,
        )  # fmt: skip
        return done.stdout if done.returncode else ""

    def sqlmap(self, hub: HubProcess, key: str, path: str) -> str:
        seconds = 20 * self.scale
        first = hub.request("GET", f"/admin/api/v1/{path}", authorization=f"Bearer {key}")
        assert first.status == 200, f"nothing is looked for at {path}: {first.text}"
        command = [
            str(self.tools / "sqlmap"), "-u", f"{hub.url}/admin/api/v1/{path}", "--batch",
            "--level", "2" if self.scale > 1 else "1", "--flush-session", "--disable-coloring",
            "--dbms", "sqlite", "--ignore-code", "400,404,413,429,500,503", "-H",
            f"Authorization: Bearer {key}", "--output-dir", str(hub.folder / "sqlmap"),
        ]  # fmt: skip
        try:
            said = self.run(*command, seconds=seconds).stdout
        except subprocess.TimeoutExpired as error:
            said = (error.stdout or b"").decode(errors="replace")
        assert "testing" in said, f"sqlmap tested nothing: {said[-500:]}"
        # A statement that its quotes broke is a finding, too: 503, "the store failed".
        found = r"is vulnerable|appears to be .*injectable|\b5\d\d \([A-Z]"
        return said if re.search(found, said) else ""

    def wapiti(self, hub: HubProcess, key: str) -> str:
        seconds, report = 25 * self.scale, hub.folder / "wapiti.json"
        modules = "sql,xss,file,exec,ssrf,crlf,redirect,xxe,http_headers,cookieflags,csp"
        # Not csrf: it asks with a key in a header, for which no token is needed or made.
        done = self.run(
            str(self.tools / "wapiti"), "-u", f"{hub.url}/dashboard", "--scope", "folder",
            "-x", f"{hub.url}/dashboard/events", "-t", "5", "--max-links-per-page", "30",
            "-m", modules, "-H", f"Authorization: Bearer {key}", "-f", "json", "-o", str(report),
            "--max-scan-time", str(seconds), "--max-attack-time", str(max(5, seconds // 8)),
            "--no-bugreport", "--flush-session", "-v", "0", "--store-session",
            str(hub.folder / "wapiti"), seconds=seconds * 3 + 300,
        )  # fmt: skip
        assert report.is_file(), f"wapiti wrote no report: {(done.stdout + done.stderr)[-500:]}"
        told = json.loads(report.read_text())
        bad = {kind: rows for kind, rows in told["vulnerabilities"].items() if rows}
        return json.dumps(bad, indent=1)[:3000] if bad else ""

    def log(self, hub: HubProcess) -> str:
        return hub.log if "Traceback" in hub.log else ""


@contextmanager
def hub_of(engine: str, demo: Demo, folder: Path) -> Iterator[tuple[HubProcess, str]]:
    """A hub whose scanner only notes, so that what is behind it is tested; an admin key."""
    folder.mkdir()
    env = {
        "PIHUB_SCANNER__MODE": "monitor",
        # The hub's own limit would end a scan early; it has tests of its own.
        "PIHUB_LIMITS__CONNECTIONS_PER_SOURCE": "0",
    }
    with HubProcess(folder, demo, engine=engine, workers=1, env=env) as hub:
        body = {"name": "suites", "scope": {"admin": sorted(PERMISSIONS)}}
        end = time.monotonic() + 60
        while hub.admin("GET", "/health").status == 503:  # until it was judged for the first time
            assert time.monotonic() < end, "health was never judged"
            time.sleep(0.2)
        hub.post("/v1/chat/completions", {"model": "local", "messages": MESSAGES})
        while not hub.admin("GET", f"/{SEARCHES[0]}").json["items"]:
            assert time.monotonic() < end, "the request was never stored"
            time.sleep(0.2)
        yield hub, hub.admin("POST", "/keys", body).json["token"]


def main() -> int:
    reader = argparse.ArgumentParser()
    reader.add_argument("tools", type=Path)
    reader.add_argument("--short", action="store_true")
    reader.add_argument("--without", action="append", default=[], metavar="NAME")
    wanted = reader.parse_args()
    suites, began = Suites(wanted.tools, short=wanted.short), time.monotonic()
    suites.stage("bandit", suites.bandit)
    suites.stage("pip-audit", suites.audit)
    for name in ["all"] if wanted.short else list(targets()):
        suites.stage(f"fuzz {name}", partial(suites.fuzz, name))
    with tempfile.TemporaryDirectory() as made, Demo() as demo:
        for engine in ("gthread", "meinheld"):
            with hub_of(engine, demo, Path(made) / engine) as (hub, key):
                against(suites, engine, hub, key)
    print(f"{time.monotonic() - began:.0f} s in all")
    for text in suites.left:
        print(f"NOT DONE  {text}")
    for text in suites.found:
        print(f"FOUND     {text}")
    missing = undone(suites.left, wanted.without)
    if missing:
        print(f"not done and not left out by --without: {', '.join(missing)}")
    return 1 if suites.found or missing else 0


def undone(left: list[str], without: list[str]) -> list[str]:
    """Names of the suites that could not be done, though nobody said so before."""
    names = dict.fromkeys(text.partition(":")[0] for text in left)
    return [name for name in names if name not in without]


def against(suites: Suites, engine: str, hub: HubProcess, key: str) -> None:
    stage = suites.stage
    stage(f"{engine}: smuggled requests", lambda: "\n".join(smuggle(hub.port)))
    if engine == "meinheld":
        url, seconds = f"{hub.url}/readyz", 15 if suites.scale == 1 else 30
        for kind in SLOW:
            stage(f"{engine}: {kind}", partial(slowly, url, kind, seconds))
        stage(f"{engine}: schemathesis", lambda: suites.schemathesis(hub, key))
        for path in SEARCHES:
            stage(f"{engine}: sqlmap {path}", partial(suites.sqlmap, hub, key, path))
        stage(f"{engine}: wapiti", lambda: suites.wapiti(hub, key))
    stage(f"{engine}: alive", lambda: "" if hub.get("/readyz").status == 200 else "not ready")
    stage(f"{engine}: no traceback in its log", lambda: suites.log(hub))


if __name__ == "__main__":
    sys.exit(main())
