"""Connections by source: the C table of the first engine and the dict of the second."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pihub.server.patience import Sources

HERE = Path(__file__).parent
PORT = HERE.parents[1] / "deploy" / "meinheld" / "src"


def test_the_port_s_table_counts_as_plain_counters_do(tmp_path: Path) -> None:
    program = tmp_path / "check"
    subprocess.run(
        ["cc", "-O1", "-fsanitize=address,undefined", f"-I{PORT}", "-o", str(program),
         str(HERE / "sources_check.c")],
        check=True,
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    done = subprocess.run([program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("fine\n", 0), done.stdout + done.stderr


SOURCES = ("10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::ffff:2", "::ffff:10.0.0.1", "")


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(SOURCES))))
def test_a_source_is_an_address_or_the_half_of_an_ipv6_one(turns: list[tuple[bool, str]]) -> None:
    sources, held = Sources(2, lambda _: False), dict.fromkeys(range(3), 0)
    kind = dict(zip(SOURCES, (0, 1, 2, 2, 0, None), strict=True))
    for comes, source in turns:
        number = kind[source]
        if number is None:
            assert sources.enter(source), "a unix socket has no limit"
        elif comes:
            fits = held[number] < 2
            assert sources.enter(source) == fits
            held[number] += fits
        elif held[number]:
            held[number] -= 1
            sources.leave(source)


def test_a_spared_source_may_have_more() -> None:
    asked: list[str] = []

    def spared(address: str) -> bool:
        asked.append(address)
        return address == "127.0.0.1"

    sources = Sources(1, spared)
    assert all(sources.enter("127.0.0.1") for _ in range(5))
    assert sources.enter("10.0.0.1")
    assert not sources.enter("10.0.0.1")
    assert asked == ["127.0.0.1"] * 4 + ["10.0.0.1"]
