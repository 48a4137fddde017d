"""Each statement that ph_scan_sql_stack.h names is told behind a semicolon: its table is searched
by first letters, so one out of order would hide others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pihub._core.scanner import Scanner
from pihub.security.scanner.keywords import load

SOURCE = Path(__file__).parents[2] / "pihub" / "_core" / "include" / "ph_scan_sql_stack.h"
ROW = re.compile(r'\{"([a-z]+)",\s*((?:"[^"]*"\s*)+)\}')
OWN = {"handler": "handler a open", "if": "if(1=1)", "while": "while(select 1)"}
"""Those that are asked for more."""
CORE = Scanner(load(), bytes(8))


def rows() -> list[tuple[str, list[str]]]:
    table = SOURCE.read_text("utf-8").partition("ph_sql_pairs[][2]")[2].partition("};")[0]
    return [(first, re.sub(r'"\s*"|"', "", some).split()) for first, some in ROW.findall(table)]


@pytest.mark.parametrize(("first", "seconds"), rows())
def test_a_statement_of_the_table_is_told(first: str, seconds: list[str]) -> None:
    if first in OWN:
        found = CORE.value(f"a');{OWN[first]}".encode(), "query")
        assert found is not None and found[0] >= 60 and found[1] == "sql", found
        return
    ends = {"!": " --", "(": "(1)", ".": " x --"}
    for second in seconds:
        if second == "." or second not in ends or len(seconds) == 1:
            text = f"a');{first}{ends.get(second, ' ' + second + ' x')}"
            found = CORE.value(text.encode(), "query")
            assert found is not None and found[0] >= 60 and found[1] == "sql", text
