"""The table of who is asked at which token (ph_scan_asks.h) hides nothing from a rule: with it and
without it the same is said of attacks, of honest text and of random mixtures of their tokens."""

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


def build(folder: Path, *more: str) -> Path:
    program = folder / ("all" if more else "asked")
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run(
        [*compiler, *FLAGS, *more, f"-I{INCLUDE}", HERE / "asks.c", "-o", program], check=True
    )
    return program


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
    # The first quotes are always asked about: behind some, only the table decides.
    found += [b"a ' b ' c ' d " + text for text in found[::2]]
    return found


@pytest.mark.slow
def test_nobody_is_left_unasked(tmp_path: Path) -> None:
    some = values()
    lines = b"".join(quote_from_bytes(v, safe="").encode() + b"\n" for v in some)
    asked, everybody = (
        subprocess.run(
            [program, FILE], input=lines, capture_output=True, timeout=300, check=True
        ).stdout.splitlines()
        for program in (build(tmp_path), build(tmp_path, "-DPH_ASK_ALL"))
    )
    assert len(asked) == len(some)
    wrong = [(v, a, b) for v, a, b in zip(some, asked, everybody, strict=True) if a != b]
    assert wrong[:3] == []
    assert sum(not line.startswith(b"0 ") for line in asked) > len(some) / 10
