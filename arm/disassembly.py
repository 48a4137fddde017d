"""What stands in an extension's machine code: NEON where it should be, no crypto where not.

The Pi 3 and 4 have no AES, SHA or PMULL instructions, but emulators of their cores claim
them: only reading the code finds a misuse. An instruction of an optional extension may
stand in a function whose name says that it is chosen at run time (`DISPATCHED`).
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

from arm.pythons import BINUTILS

OPTIONAL = re.compile(
    r"aes(?:e|d|mc|imc)|sha(?:1|256|512)\w*|pmull2?|[su]dot|bcax|eor3|rax1|xar|"
    r"ld(?:add|clr|set|eor|smax|smin|umax|umin)(?:a|l|al)?[bh]?|swp(?:a|l|al)?[bh]?|"
    r"cas(?:a|l|al)?[bh]?|casp\w*|ptrue|whilelo|cntb"
)
"""Mnemonics of armv8.1+ and of +crypto, +dotprod and SVE (Arm ARM, C6 and C7)."""
DISPATCHED = re.compile(r"__aarch64_(?:cas|swp|ld)\w*|ph_\w+_(?:aes|pmull|lse|dotprod)")
"""libgcc's outlined atomics, which ask HWCAP first, and our own of that kind."""
VECTOR = re.compile(r"\b[vq]\d+\b")
HOT = {
    "hashing": "umlal", "wire": "umlal",  # XXH3's multiplications
    "cache": "cmeq",  # a bucket's tags at once
    "edge": "cmeq",  # white space outside strings
    "matcher": "tbl", "scanner": "tbl",  # classes of bytes by two look-ups
}  # fmt: skip
"""The instruction on vector registers that an extension's hot loop is made of."""
CHECKED = {"aarch64"}


class Misfit(Exception):
    """The code would not run, or crawl, on a Pi that it is made for."""


def instructions(shared_object: Path, machine: str) -> list[tuple[str, str, str]]:
    """(function, mnemonic, operands) in order. Symbols must not be stripped for names."""
    words = [f"{BINUTILS[machine]}objdump", "-d", "--no-show-raw-insn", str(shared_object)]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = []
    function = ""
    for line in text.splitlines():
        if line.endswith(">:"):
            function = line.partition("<")[2][:-2]
        elif "\t" in line:
            _, _, rest = line.partition("\t")
            mnemonic, _, operands = rest.strip().partition("\t")
            found.append((function, mnemonic.strip(), operands))
    return found


def judge(name: str, code: list[tuple[str, str, str]]) -> Counter[str]:
    """Counts by kind. Raises Misfit."""
    counts: Counter[str] = Counter()
    for function, mnemonic, operands in code:
        counts["instructions"] += 1
        if OPTIONAL.fullmatch(mnemonic):
            if not DISPATCHED.match(function):
                raise Misfit(f"{name}: {mnemonic} in {function or 'a function'}, undispatched")
            counts["dispatched"] += 1
        if VECTOR.search(operands):
            counts["vector"] += 1
            if mnemonic in HOT.values():
                counts[mnemonic] += 1
    return counts


def require(extension: str, counts: Counter[str]) -> None:
    """Raises Misfit if a hot loop was not compiled to what makes it fast."""
    if extension in HOT and not counts[HOT[extension]]:
        raise Misfit(f"{extension}: its hot loop has no {HOT[extension]} of vector registers")


def check_wheel(wheel: Path, machine: str) -> dict[str, Counter[str]]:
    """Judges every extension of a wheel. Raises Misfit."""
    if machine not in CHECKED:
        return {}
    counts = {}
    with tempfile.TemporaryDirectory(prefix="disassembly-") as folder, zipfile.ZipFile(wheel) as z:
        for name in (n for n in z.namelist() if n.endswith(".so")):
            code = instructions(Path(z.extract(name, folder)), machine)
            short = Path(name).name.partition(".")[0]
            counts[short] = judge(f"{wheel.name}:{name}", code)
            require(short, counts[short])
    return counts
