"""docs/admin-api.md lists the routes that the code has, and the fields that it sends."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from pihub.http.control.resources import DIMENSIONS
from pihub.http.control.routes import ControlServices, api_routes
from pihub.insight.live import request
from pihub.store.rows import RequestRow

TEXT = (Path(__file__).parents[2] / "docs" / "admin-api.md").read_text()


def test_routes_are_documented_both_ways() -> None:
    nothing = cast(Any, None)
    wanted = set()
    for template, resource in api_routes(ControlServices(nothing, nothing, nothing)):
        for method in ("get", "post", "put", "patch", "delete"):
            if hasattr(resource, f"on_{method}"):
                wanted.add((method.upper(), template.replace(":int", "")))
    documented = re.findall(r"^\| `([A-Z]+)` \| `([^`]+)` \|", TEXT, re.MULTILINE)
    assert set(documented) == wanted
    assert len(documented) == len(wanted)


def test_a_request_s_fields_are_documented() -> None:
    section = TEXT.split("## A request")[1].split("\n## ")[0]
    documented = set()
    for row in re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE):
        documented |= set(re.findall(r"`(\w+)`", row))
    row = RequestRow(*([0] * 12), *([""] * 4), *([0] * 8))
    assert documented == set(request(row))


def test_dimensions_are_documented() -> None:
    for dimension in DIMENSIONS:
        assert f"`{dimension}`" in TEXT
