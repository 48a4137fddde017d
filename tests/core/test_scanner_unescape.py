"""Unescaping sixteen bytes at once says what unescaping each byte says, in place as in other
memory: on random values of escapes, of what only begins like one, and of runs of other bytes."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
INCLUDE = HERE.parents[1] / "pihub" / "_core" / "include"
FLAGS = (
    "-std=gnu11", "-O1", "-fsigned-char", "-fno-strict-aliasing", "-w",
    "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined",
)  # fmt: skip
PIECES = (
    b"%", b"%2", b"%27", b"%2B", b"%u", b"%u0027", b"%u00", b"%zz", b"%\x12a", b"\\", b"\\x41",
    b"\\x4", b"\\u0041", b"\\u{41}", b"\\u{", b"\\101", b"\\012", b"\\n", b"&", b"&#39;", b"&#x27",
    b"&lt;", b"&ltimg", b"&a", b"&&", b"&;", b"+", b"++", b"a", b"of ", b"\xff", b"\x00",
    b"x" * 15, b"y" * 16, b"z+" * 9, b"w" * 33,
)  # fmt: skip


def unescaped(folder: Path, lines: bytes, flag: str) -> list[bytes]:
    program = folder / flag[2:]
    compiler = os.environ.get("CC", "cc").split()
    source = HERE / "unescape.c"
    subprocess.run([*compiler, *FLAGS, flag, f"-I{INCLUDE}", source, "-o", program], check=True)
    done = subprocess.run([program], input=lines, capture_output=True, timeout=120, check=True)
    return done.stdout.splitlines()


def test_sixteen_bytes_at_once_are_unescaped_like_each(tmp_path: Path) -> None:
    draw = random.Random(1)
    values = [b"", b"+", b"a+b%2Bc"]
    for _ in range(6000):
        few = draw.sample(PIECES, draw.choice((2, 4, 12)))
        values.append(b"".join(draw.choice(few) for _ in range(draw.randrange(1, 14))))
    lines = b"".join(value.hex().encode() + b"\n" for value in values)
    usual = unescaped(tmp_path, lines, "-DNDEBUG")
    assert len(usual) == len(values)
    assert usual[:3] == [
        b"~0 ~0 ~0 ~0 ",
        b"2b~0 2b~0 20~0 20~0 ",
        b"612b622b63~1 " * 2 + b"6120622b63~1 " * 2,
    ]
    each = unescaped(tmp_path, lines, "-DPH_ESCAPE_ONE")
    for value, some, one in zip(values, usual, each, strict=True):
        assert some == one, value
        apart, place, spaced, spaced_place = some.split()
        assert (apart, spaced) == (place, spaced_place), value
