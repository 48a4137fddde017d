"""Closed-loop load by wrk, and the CPU that a server's processes spent on it."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """One round of one contender."""

    rps: float
    cpu_us: float
    """CPU a request, microseconds."""
    errors: int


def told(path: Path) -> str:
    """A file of /proc; "" if its process or thread has ended meanwhile."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def tree(pid: int) -> set[int]:
    """A process and all its descendants."""
    found = {pid}
    todo = [pid]
    while todo:
        current = todo.pop()
        for task in Path(f"/proc/{current}/task").glob("*/children"):
            for child in map(int, told(task).split()):
                if child not in found:
                    found.add(child)
                    todo.append(child)
    return found


def cpu_seconds(pids: set[int]) -> float:
    """User and system time of the given processes so far; of those that are still there."""
    total = 0
    for pid in pids:
        if fields := told(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split():
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def wrk(
    url: str,
    body: str,
    headers: dict[str, str],
    script: Path,
    *,
    seconds: float,
    connections: int,
    core: int,
    server_pid: int,
) -> Sample:
    """One round; `script` is a file this call may write."""
    lines = ['wrk.method = "POST"', f"wrk.body = [==[{body}]==]"]
    lines += [f'wrk.headers["{n}"] = "{v}"' for n, v in headers.items()]
    script.write_text("\n".join(lines))
    pids = tree(server_pid)
    before = cpu_seconds(pids)
    done = subprocess.run(
        ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}",
         f"-d{max(1, round(seconds))}s", "-s", str(script), url],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    spent = cpu_seconds(pids) - before
    count = re.search(r"(\d+) requests in ([\d.]+)(m?s)", done.stdout)
    assert count, done.stdout
    requests = int(count[1])
    took = float(count[2]) / (1000 if count[3] == "ms" else 1)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    sock = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", done.stdout
    )
    errors = (int(bad[1]) if bad else 0) + (sum(map(int, sock.groups())) if sock else 0)
    return Sample(requests / took, spent / max(requests, 1) * 1e6, errors)
