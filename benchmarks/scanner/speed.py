"""What judging costs: processor time of this thread, the call from Python taken off where it is
not part of the work; the first stages also in C (prefilter.c)."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pihub.security.scanner.keywords import FILE
from pihub.shared.scanning import Scanner

HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "pihub" / "_core" / "include"

ANCHORS = (
    "'", '"', "`", "<", "<a ", "<!--", "/*", "*/", "--", "(", ")", ";", "|", "&", "&#", "%", "%u",
    "\\u", "\\u{", "../", "./", ".", "etc", "0x2e", "union ", "select ", "or 1=", "' or ", "{{",
    "${", "$(", "[]", "[", "{", '{"a":', "=", "http://a?", "a=b&", "on", "onx=", "\xc0", "java",
    ":", "@", "@@", "#", "order by 1,", "cat ", "a.", "a(", "if(", "sleep(", "<a b=", "etc/",
    "a ", "1,", "document.", "&lt;", "%27", "\\x41", "boot", "select 1,", "' ' ", "| cat",
)  # fmt: skip
"""Input that is nothing but what some rule begins with."""


def spent(work: Callable[[], object], rounds: int = 5) -> float:
    """Seconds of the best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        begin = time.thread_time()
        work()
        best = min(best, time.thread_time() - begin)
    return best


def mean_ns(core: Scanner, values: Sequence[bytes], encoded: bool = True) -> float:
    """Nanoseconds a value, without the call: an empty value is what a call costs."""
    value = core.value

    def judged() -> None:
        for v in values:
            value(v, "query", encoded)

    def called() -> None:
        for _ in values:
            value(b"", "query", encoded)

    return max(0.0, spent(judged) - spent(called)) / len(values) * 1e9


def in_c(values: Sequence[bytes]) -> dict[str, float]:
    """Nanoseconds a value of the prefilter alone ("prefilter") and of all stages ("value"), called
    from C. {} without a C compiler; values with a newline are left out."""
    with tempfile.TemporaryDirectory() as folder:
        program, lines = Path(folder, "prefilter"), Path(folder, "values")
        lines.write_bytes(b"\n".join(v for v in values if v and b"\n" not in v) + b"\n")
        words = os.environ.get("CC", "cc").split()
        flags = ["-std=gnu11", "-O2", "-fsigned-char", "-fno-strict-aliasing", f"-I{INCLUDE}"]
        try:
            subprocess.run([*words, *flags, HERE / "prefilter.c", "-o", program], check=True)
        except OSError:
            return {}
        said = subprocess.run([program, FILE, lines], capture_output=True, text=True, check=True)
    return {name: float(ns) for name, ns in (line.split() for line in said.stdout.splitlines())}


def mixed_rate(core: Scanner, size: int = 1 << 18) -> float:
    """MB/s of 16 random mixtures of three anchors each; the slowest."""
    worst = float("inf")
    draw = random.Random(2)
    for _ in range(16):
        some = draw.sample(ANCHORS, 3)
        one = "".join(draw.choice(some) for _ in range(size // 2)).encode("latin-1")[:size]
        worst = min(worst, len(one) / spent(lambda data=one: core.value(data, "json"), 2) / 1e6)  # type: ignore[misc]
    return worst


def adversarial(core: Scanner, size: int = 1 << 20) -> dict[str, tuple[float, float]]:
    """Anchor -> (MB/s, time of twice the size over the time of once)."""
    found = {}
    for anchor in ANCHORS:
        one = (anchor * (size // len(anchor) + 1)).encode("latin-1")[:size]
        two = one + one
        short = spent(lambda data=one: core.value(data, "query", True), 3)  # type: ignore[misc]
        long = spent(lambda data=two: core.value(data, "query", True), 2)  # type: ignore[misc]
        found[anchor] = (size / short / 1e6, long / short)
    return found


AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"
REQUEST: dict[str, object] = {
    "REQUEST_METHOD": "POST", "PATH_INFO": "/v1/chat/completions", "CONTENT_LENGTH": "2048",
    "QUERY_STRING": "user=42&lang=de&page=3&sort=name&trace=4f2a9c11d0",
    "HTTP_HOST": "hub.example:8080", "HTTP_USER_AGENT": AGENT, "HTTP_ACCEPT": "application/json",
    "HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.5", "HTTP_ACCEPT_ENCODING": "gzip, deflate, br",
    "HTTP_REFERER": "https://hub.example/app?tab=chat&id=7", "HTTP_ORIGIN": "https://hub.example",
    "HTTP_AUTHORIZATION": "Bearer ph_0000", "HTTP_X_REQUEST_ID": "0b6e4f8a1c2d4e5f",
    "HTTP_COOKIE": "theme=dark; session=8d7f6e5a4b3c2d1e",
}  # fmt: skip
"""Path, five parameters, ten headers; of a chat the body is not judged."""


def request_us(core: Scanner, seen: bool) -> float:
    """Microseconds for a whole request. `seen`: its headers came before, as a client's do."""
    agents = [AGENT + f" r/{n}" for n in range(2000)]
    envs = [
        REQUEST
        if seen
        else REQUEST
        | {
            "HTTP_USER_AGENT": agent,
            "HTTP_COOKIE": f"theme=dark; session={n:032x}",
            "HTTP_REFERER": f"https://hub.example/app?tab=chat&id={n}",
        }
        for n, agent in enumerate(agents)
    ]

    def work() -> None:
        for env in envs:
            core.request(env)

    return statistics.median(spent(work, 1) for _ in range(5)) / len(envs) * 1e6
