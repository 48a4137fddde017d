"""Proofs that do not depend on each other, some at a time, each told when it has ended."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Proof:
    """A command that ends with 0 if what `name` says holds."""

    part: str
    """Its kind, by which some can be asked for alone."""
    name: str
    command: Callable[[], list[str]]
    """Prepares what the command needs and gives its words; called when it is its turn."""


class Failed(Exception):
    """Some proofs failed; the message names them."""


def run(proofs: Sequence[Proof], at_once: int, cwd: Path, longest: float) -> None:
    """Runs all of them, `at_once` at a time, also after one has failed: a run of hours shall
    tell all. What each says is printed whole when it ends, with its seconds.

    Raises Failed; DebianError and WheelError of what could not be prepared.
    """
    speaking = threading.Lock()

    def one(proof: Proof) -> bool:
        began = time.monotonic()
        words = proof.command()
        try:
            done = subprocess.run(
                words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                check=False, timeout=longest, errors="replace",
            )  # fmt: skip
            said, how = done.stdout, "passed" if done.returncode == 0 else "FAILED"
        except subprocess.TimeoutExpired as late:
            # bytes whatever was asked for, or None
            said, how = (late.stdout or b"").decode(errors="replace"), "FAILED, not ended"
        with speaking:
            print(f"== {proof.name}\n{said.rstrip()}")
            print(f"== {proof.name}: {how} in {time.monotonic() - began:.0f} s", flush=True)
        return how == "passed"

    with ThreadPoolExecutor(at_once) as pool:
        outcomes = list(pool.map(one, proofs))
    if failed := [p.name for p, passed in zip(proofs, outcomes, strict=True) if not passed]:
        raise Failed("; ".join(failed))
