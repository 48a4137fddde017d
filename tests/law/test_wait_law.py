"""One way to wait in a worker: the Waiter. Everything else is banned in the sources.

meinheld's timers resume a greenlet without restoring whose request is running, so they
hand one client's headers to another; a plain sleep stops every client of the worker.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "pihub"
BANNED = {
    "server.sleep": re.compile(r"\bserver\s*\.\s*sleep\b|meinheld\.server\s+import.*\bsleep\b"),
    "schedule_call": re.compile(r"\bschedule_call\b"),
    "_suspend_client": re.compile(r"\b_suspend_client\b"),
    "_resume_client": re.compile(r"\b_resume_client\b"),
    "greenlet.switch": re.compile(r"\bgreenlet\b.*\.\s*switch\b|\b(from|import)\s+greenlet\b"),
    "meinheld.patch": re.compile(r"\bmeinheld\b.*\bpatch\b|\bpatch_all\b|\bpatch_socket\b"),
    "trampoline": re.compile(r"\btrampoline\b"),
    "time.sleep": re.compile(r"\btime\s*\.\s*sleep\b|from\s+time\s+import.*\bsleep\b"),
}
ONLY_WAITERS = {"trampoline"}
MAY_SLEEP = ("insight", "store", "cli", "demo")
"""Code of the control process, the commands and the simulated upstreams."""


def code_of(path: Path) -> list[tuple[int, str]]:
    """Numbered lines without comments and docstrings, as far as patterns care."""
    text = re.sub(
        r'"""(?:.|\n)*?"""|\'\'\'(?:.|\n)*?\'\'\'',
        lambda match: "\n" * match[0].count("\n"),
        path.read_text(encoding="utf-8"),
    )
    return [(n, line.split("#", 1)[0]) for n, line in enumerate(text.splitlines(), 1)]


def violations(path: Path, relative: Path) -> list[str]:
    waiter = relative.parts[0] == "server" and relative.name.startswith("waiter_")
    found = []
    for number, line in code_of(path):
        for name, pattern in BANNED.items():
            if not pattern.search(line):
                continue
            if name in ONLY_WAITERS and waiter:
                continue
            if name == "time.sleep" and relative.parts[0] in MAY_SLEEP:
                continue
            found.append(f"{relative}:{number}: {name}")
    return found


def sources() -> list[Path]:
    return sorted(p for kind in ("*.py", "*.pyx", "*.pxd") for p in PACKAGE.rglob(kind))


def test_nothing_waits_but_the_waiters() -> None:
    files = sources()
    assert len(files) > 50
    found = [line for path in files for line in violations(path, path.relative_to(PACKAGE))]
    assert found == []


@pytest.mark.parametrize(
    ("where", "line", "caught"),
    [
        ("gateway/x.py", "server.sleep(1)", True),
        ("gateway/x.py", "from meinheld.server import run, sleep", True),
        ("server/waiter_x.py", "server.sleep(1)", True),
        ("upstream/x.py", "server.schedule_call(1, f)", True),
        ("upstream/x.py", "server._resume_client(c, (), {})", True),
        ("upstream/x.py", "greenlet.getcurrent().parent.switch()", True),
        ("upstream/x.py", "import greenlet", True),
        ("cli/x.py", "from meinheld import patch", True),
        ("upstream/x.py", "trampoline(fd, True)", True),
        ("server/waiter_x.py", "trampoline(fd, True)", False),
        ("gateway/x.py", "time.sleep(1)", True),
        ("gateway/x.py", "from time import monotonic, sleep", True),
        ("store/x.py", "time.sleep(1)", False),
        ("gateway/x.py", "self._waiter.sleep(1)", False),
        ("gateway/x.py", "x = 1  # never time.sleep here", False),
        ("gateway/x.py", '"""Never time.sleep\nnor server.sleep."""', False),
    ],
)
def test_the_law_catches_what_it_should(
    tmp_path: Path, where: str, line: str, caught: bool
) -> None:
    path = tmp_path / "x.py"
    path.write_text(line + "\n")
    assert bool(violations(path, Path(where))) is caught
