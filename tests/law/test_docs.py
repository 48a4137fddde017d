"""What the documentation lists is what the code has, both ways."""

from __future__ import annotations

import re
from pathlib import Path

from pihub.errors import all_errors
from pihub.http.data.routes import FIXED, SINKS

DOCS = Path(__file__).parents[2] / "docs"


def test_error_codes_are_unique_and_documented() -> None:
    codes = [error.code for error in all_errors()]
    assert len(codes) == len(set(codes))
    text = (DOCS / "errors.md").read_text()
    documented = re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE)
    assert sorted(documented) == sorted(codes)


def test_documented_statuses_are_the_code_s() -> None:
    text = (DOCS / "errors.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \| (\d{3}|-) \|", text, re.MULTILINE)
    wanted = {e.code: str(e.status) for e in all_errors()}
    start_up = {"startup_error", "config_error", "arena_error"}
    for code, status in rows:
        assert status == ("-" if code in start_up else wanted[code]), code


def test_routes_are_documented() -> None:
    text = (DOCS / "routes.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z]+)` \| `([^`]+)` \|", text, re.MULTILINE))
    wanted = {(method, path) for method, path, _ in FIXED}
    wanted |= {("ANY", prefix + "/…") for prefix, _ in SINKS}
    wanted.add(("ANY", "/apis/NAME/…"))
    assert {d for d in documented if not d[1].startswith("/admin/api")} == wanted
