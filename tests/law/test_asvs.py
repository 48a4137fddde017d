"""docs/asvs.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "asvs.md").read_text()
ROWS = re.findall(r"^\| (\d+\.\d+\.\d+) \| (.+?) \| (.+?) \|$", TEXT, re.MULTILINE)


def test_each_line_has_a_test_or_a_reason() -> None:
    assert len(ROWS) > 40 and len({number for number, _, _ in ROWS}) == len(ROWS)
    for number, _, shown in ROWS:
        if shown.startswith("not applicable, because "):
            continue
        for one in shown.split(", "):
            named = re.fullmatch(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", one)
            assert named, number
            source = (ROOT / named[1]).read_text()
            if named[2]:
                assert re.search(rf"^def {named[2]}\(", source, re.MULTILINE), (number, named[2])
            else:
                assert "def test_" in source
