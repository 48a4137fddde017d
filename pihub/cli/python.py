"""How this program starts other parts of itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pihub


def module(name: str) -> list[str]:
    """The command that runs a module of the same pihub with the same Python.

    `python -m` puts the current folder first on the import path, and a file named like
    a standard module there would be run. So `-P`, unless the current folder is where
    pihub itself lies.
    """
    home = Path(pihub.__file__).resolve().parents[1]
    safe = [] if Path(os.getcwd()).resolve() == home else ["-P"]
    return [sys.executable, *safe, "-m", name]
