"""The lexer of the scanner's core against a slow twin, on mixtures of what its grammar has."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.effort import examples
from tests.model.scanning_tokens import COMMENT, NUMBER, SPACE, VERSION, WORD, Words, tokens

HERE = Path(__file__).parent
INCLUDE = HERE.parents[1] / "pihub" / "_core" / "include"
FLAGS = ("-std=gnu11", "-O1", "-fsigned-char", "-fno-strict-aliasing", "-w")
MOSTS = (1, 3, 17, 2048)
"""Tokens a call."""


def known() -> Words:
    """Those words, from the table of the core."""
    text = (INCLUDE / "ph_scan_words.h").read_bytes()

    def group(kind: bytes) -> frozenset[bytes]:
        (words,) = re.findall(rb"\{" + kind + rb', ((?:\s*"[^"]*")+)\}', text)
        return frozenset(b"".join(re.findall(rb'"([^"]*)"', words)).split())

    union, select = group(b"K_UNION"), group(b"K_SELECT")
    assert b"union" in union
    return Words(group(b"K_LOGIC") | union | select | group(b"K_CLAUSE"), union | select)


KNOWN = known()


@pytest.fixture(scope="module")
def lexers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[subprocess.Popen[bytes]]]:
    program = tmp_path_factory.mktemp("tokens") / "tokens"
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run(
        [*compiler, *FLAGS, f"-I{INCLUDE}", HERE / "tokens.c", "-o", program], check=True
    )
    running = [
        subprocess.Popen([program, str(most)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for most in MOSTS
    ]
    yield running
    for process in running:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


def told(process: subprocess.Popen[bytes], text: bytes) -> list[tuple[int, ...]]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(text.hex().encode() + b"\n")
    process.stdin.flush()
    line = process.stdout.readline().decode().rstrip("\n;")
    return [tuple(map(int, each.split())) for each in line.split(";") if each]


PIECES = [
    *(bytes([c]) for c in b"!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~ \t\n\r\x0b\x1f\x7f_aefdx0159"),
    b"\xc3\xa9", b"\xff", b"or", b"and", b"union", b"select", b"from", b"foo", b"sleep", b"nd",
    b"1.5", b"1.e", b"0x1f", b"1e5", b"2e-", b"1d", b"3f", b"/*", b"*/", b"/*!", b"/*!50000",
    b"/*x*/", b"--", b"---", b"//", b"**", b"a" * 31, b"b" * 33, b"c" * 64, b"7" * 70, b" " * 70,
    b"'" * 140, b"-" * 150, b"/" + b"=" * 131, b"*" * 133, b". " * 40,
]  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)


@pytest.mark.native
@examples(1500)
@given(TEXT)
@example(b"1or 2union 3dselect 4funion 5for 6.e7and 0.e3union 1.2.3 1..2 a1.5 1.e5 0x 0x1for")
@example(b"/*/ */ /**/ /*!50000or*/ /*!*/ */x -- /* y")
@example(b"/*!1.5\xc3\xa9 /*!1.5or /*!1.2.3e /*!17x")
@example(b"x" * 63 + b"1.5 " + b"y" * 59 + b" 1.e5 a1.e5 1e+5e5")
def test_the_same_tokens(lexers: list[subprocess.Popen[bytes]], text: bytes) -> None:
    expected = tokens(text, KNOWN)
    for process in lexers:
        assert told(process, text) == expected


ODD = b"1.5 1.e5 1.e 0x1f 1or 3dunion a1.5 1e+5 -- /*x*/ /*!5or".split()


@pytest.mark.native
@pytest.mark.parametrize("odd", ODD)
def test_a_block_ends_in_the_midst_of_it(lexers: list[subprocess.Popen[bytes]], odd: bytes) -> None:
    """The lexer reads 64 bytes at once, from its first token's end on."""
    for before in range(48, 72):
        for behind in (b"", b" and 7", b"x"):
            text = b"z " + b"y" * before + b" " + odd + behind
            assert told(lexers[-1], text) == tokens(text, KNOWN), (before, behind)


def test_the_twin_itself() -> None:
    assert tokens(b"1or 0x1f/**/b", KNOWN) == [
        (NUMBER, 0, 1, 8),
        (WORD, 1, 2, 0),
        (NUMBER, 4, 4, SPACE),
        (WORD, 12, 1, SPACE | 2),
    ]
    assert tokens(b" /*!7or -- ", KNOWN)[0] == (WORD, 5, 2, 8 | SPACE | 2 | VERSION)
    assert tokens(b"1st 2dunion /*", KNOWN)[1:] == [
        (NUMBER, 4, 2, SPACE),
        (WORD, 6, 5, 0),
        (COMMENT, 12, 2, SPACE),
    ]
