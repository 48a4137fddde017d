"""The table of who is asked at which token (ph_scan_asks.h) hides nothing from a rule: with it and
without it the same is said of attacks, of honest text and of random mixtures of their tokens. So
with the lexer that looks at 64 bytes at once and with the one that looks at each."""

from __future__ import annotations

import os
import random
import re
import subprocess
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest

from pihub.security.scanner.keywords import FILE

HERE = Path(__file__).parent
INCLUDE = HERE.parents[1] / "pihub" / "_core" / "include"
CORPUS = HERE.parent / "corpus" / "scanner"
FLAGS = ("-std=gnu11", "-O1", "-fsigned-char", "-fno-strict-aliasing", "-w")
TOKENS = re.compile(rb"\w+|\s+|[^\w\s]")
MARKS = [bytes([c]) for c in b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ \n0"]
SEED = 20


def said(folder: Path, lines: bytes, flag: str = "-DNDEBUG") -> list[bytes]:
    """What the scanner, built with that flag, says of values."""
    program = folder / flag[2:].partition("=")[0]
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run(
        [*compiler, *FLAGS, flag, f"-I{INCLUDE}", HERE / "asks.c", "-o", program], check=True
    )
    done = subprocess.run(
        [program, FILE], input=lines, capture_output=True, timeout=300, check=True
    )
    return done.stdout.splitlines()


def agree(folder: Path, some: list[bytes], flag: str) -> list[bytes]:
    """Raises AssertionError where a build with that flag says something else."""
    lines = b"".join(quote_from_bytes(v, safe="").encode() + b"\n" for v in some)
    usual, other = said(folder, lines), said(folder, lines, flag)
    assert len(usual) == len(some)
    wrong = [(v, a, b) for v, a, b in zip(some, usual, other, strict=True) if a != b]
    assert wrong[:3] == []
    return usual


def words() -> list[bytes]:
    """All that the verifiers' own sources name, one token each."""
    text = b" ".join(f.read_bytes() for f in sorted(INCLUDE.glob("ph_scan_*.h")))
    told = b" ".join(re.findall(rb'"([^"\n]*)"', text))
    return sorted(set(re.findall(rb"[a-z_][a-z0-9_]{1,24}", told)))


def values() -> list[bytes]:
    draw = random.Random(SEED)
    known = [
        line.split("\t")[-1].encode()
        for name in ("attacks", "benign", "fields")
        for line in (CORPUS / f"{name}.txt").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    pieces = [TOKENS.findall(text) for text in known]
    means = words()
    found = list(known)
    for _ in range(20_000):
        some = list(draw.choice(pieces)) or [b"a"]
        for _ in range(draw.randrange(1, 5)):
            at = draw.randrange(len(some) + 1)
            new = draw.choice((MARKS, MARKS, means))
            some[at : at + draw.randrange(2)] = [draw.choice(new)]
        found.append(b"".join(some))
    for _ in range(20_000):
        few = draw.sample(MARKS, 4) + draw.sample(means, 2)
        found.append(b"".join(draw.choice(few) for _ in range(draw.randrange(2, 12))))
    found += [
        b"x' y' z%s%s%s" % (quote, mark, rest)
        for quote in (b"'", b'"', b"`")
        for mark in (*MARKS, b" ~ ", b" | ", b" && ")
        for rest in (b"1 --", b" '1' #", b"a=b --", b"(select 1)")
    ]
    # The first quotes are always asked about: behind some, only the table decides.
    found += [b"a ' b ' c ' d " + text for text in found[::2]]
    return found


HARD = (
    *MARKS, b"\t", b"\r\n", b"\x01", b"\x7f", b"\xc3\xa9", b"\xff", b"1.5", b"1.", b"0x1f", b"1e5",
    b"1or ", b"3d", b"/*x*/", b"/*!50000", b"*/", b"/*", b"--", b"---", b"----", b"//", b"**",
    b"a" * 31, b"b" * 33, b"c" * 63, b"d" * 64, b"e" * 130, b"7" * 70, b" " * 5, b" " * 70,
    b"'" * 140, b"-" * 150, b"*" * 140, b"/" + b"=" * 140, b"`x` ", b"don't ", b"the ", b"is a ",
    b"value ", b"or 1=1 ", b"{{a.b}}", b"<a b=c>", b";cat /etc/passwd", b"$(id)",
)  # fmt: skip
"""What a block of the lexer's may end in the midst of."""


def texts() -> list[bytes]:
    """Some longer than its window of 2,048 tokens."""
    draw = random.Random(SEED)
    found = []
    for most, times in ((40, 4000), (400, 800), (5000, 60), (30_000, 12)):
        for _ in range(times):
            few = draw.sample(HARD, draw.choice((3, 5, 12))) + draw.sample(words(), 1)
            found.append(b"".join(draw.choice(few) for _ in range(draw.randrange(most // 2, most))))
    return found


@pytest.mark.slow
def test_nobody_is_left_unasked(tmp_path: Path) -> None:
    some = values()
    told = agree(tmp_path, some, "-DPH_ASK_ALL")
    assert sum(not line.startswith(b"0 ") for line in told) > len(some) / 10


@pytest.mark.slow
def test_a_block_at_once_tells_the_tokens_of_each_byte(tmp_path: Path) -> None:
    some = values()[::4] + texts()
    told = agree(tmp_path, some, "-DPH_LEX_ONE")
    assert len(set(told)) > 1000


@pytest.mark.slow
def test_no_rule_looks_beyond_the_tokens_that_there_are(tmp_path: Path) -> None:
    """AddressSanitizer sees the window's edges (ph_scan_value.h) and ends the program there."""
    agree(tmp_path, values()[::16] + texts()[::80], "-fsanitize=address,undefined")
