"""docs/admin-api.md lists the routes that the code has, and the fields that it sends."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec

from pihub.http.control.operations.requests import RequestView, shown
from pihub.http.control.table import OPERATIONS
from pihub.store.rows import Dimension, RequestRow

TEXT = (Path(__file__).parents[2] / "docs" / "admin-api.md").read_text()


def test_operations_are_documented_both_ways() -> None:
    wanted = {(one.method, one.shown_path, one.permission, one.summary) for one in OPERATIONS}
    documented = re.findall(
        r"^\| `([A-Z]+)` \| `([^`]+)` \| `([a-z:]+)` \| (.*) \|$", TEXT, re.MULTILINE
    )
    assert set(documented) == wanted
    assert len(documented) == len(wanted)


def test_a_request_s_fields_are_documented() -> None:
    section = TEXT.split("## A request")[1].split("\n## ")[0]
    documented = set()
    for row in re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE):
        documented |= set(re.findall(r"`(\w+)`", row))
    row = RequestRow(*([0] * 12), *([""] * 4), *([0] * 8))
    assert documented == set(msgspec.to_builtins(shown(row)))
    assert documented == {field.encode_name for field in msgspec.structs.fields(RequestView)}


def test_dimensions_are_documented() -> None:
    for dimension in get_args(Dimension):
        assert f"`{dimension}`" in TEXT
