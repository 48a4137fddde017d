"""What judging costs: processor time of this thread, the call from Python taken off where it is
not part of the work."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

from pihub.shared.scanning import Scanner

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
