"""How fast are the classes of bytes of a value found, long and short?"""

from __future__ import annotations

from typing import Any

from benchmarks.core.question import Answer, Target, least
from pihub._core.matcher import classes

CLEAN = b"The quick brown fox jumps over the lazy dog and says nothing odd at all. "
LONG = (CLEAN * 1000)[: 64 << 10]
CALLS = 200
SHORT_CALLS = 2_000


def machine() -> str:
    with open("/proc/cpuinfo") as file:
        text = file.read()
    return "AVX2" if " avx2 " in text else "baseline"


def measure(rounds: int) -> Answer:
    def over(data: bytes, engine: str, calls: int) -> Any:
        def run() -> None:
            for _ in range(calls):
                classes(data, engine)

        return run

    def nothing() -> None:
        for _ in range(SHORT_CALLS):
            classes(b"", "")

    kib = (CLEAN * 20)[:1024]
    sizes = {"1 KiB": kib, "64 KiB": LONG}
    rates = {}
    for title, data in sizes.items():
        row = least(
            {"pihub": over(data, "", CALLS), "pihub baseline": over(data, "baseline", CALLS)},
            CALLS, rounds * 60,
        )  # fmt: skip
        rates[f"class scan, {title}"] = {name: len(data) / ns for name, ns in row.items()}
    short = least(
        {"62 bytes": over(CLEAN[:62], "", SHORT_CALLS), "call": nothing}, SHORT_CALLS, rounds * 60
    )
    rate = rates["class scan, 64 KiB"]
    wanted = 10.0 if machine() == "AVX2" else 3.0
    return Answer(
        str(__doc__),
        unit="GB/s",
        rows=rates,
        targets=[
            Target(f"class scan, GB/s, {machine()}", rate["pihub"], wanted, least=True),
            Target("class scan, GB/s, baseline", rate["pihub baseline"], 3.0, least=True),
            Target("62 bytes, ns above an empty call", short["62 bytes"] - short["call"], 15.0),
        ],
    )


def test_scan(benchmark: Any) -> None:
    benchmark(classes, LONG)
