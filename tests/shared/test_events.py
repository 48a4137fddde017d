"""The record's Python face and the C struct agree, field by field."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import pihub
from pihub.shared.events import Record

HEADER = Path(pihub.__file__).parent / "_core" / "include" / "ph_event.h"
WIDTH = {"8": 1, "16": 2, "32": 4, "64": 8}


def c_fields() -> list[tuple[str, int, bool]]:
    """(name, bytes, signed) of each field in the header, arrays unrolled, padding left out."""
    text = HEADER.read_text()
    body = text[text.index("typedef struct ph_event {") : text.index("} ph_event;")]
    out = []
    for unsigned, bits, name, count in re.findall(
        r"^\s*(u?)int(\d+)_t (\w+)(?:\[(\d+)\])?;", body, re.MULTILINE
    ):
        if name == "pad":
            continue
        for index in range(int(count or 1)):
            out.append((f"{name}[{index}]" if count else name, WIDTH[bits], not unsigned))
    return out


NAMES = [field.name for field in fields(Record)]
STAGES = ["inspect_us", "lookup_us", "route_us", "call_us", "render_us"]


@pytest.mark.native
def test_the_same_fields_in_the_same_order() -> None:
    wanted = [
        STAGES[int(name[-2])] if name.startswith("stage_us") else name
        for name, _, _ in c_fields()
    ]
    assert wanted == NAMES


@pytest.mark.native
@pytest.mark.parametrize("index", range(len(NAMES)), ids=NAMES)
def test_each_field_stands_where_the_struct_has_it(index: int) -> None:
    name, width, signed = c_fields()[index]
    offset = sum(w for _, w, _ in c_fields()[:index])
    value = (1 << (8 * width - (1 if signed else 0))) - 2
    if NAMES[index] == "attempts":
        value = 254
    raw = Record(**{NAMES[index]: value}).pack()
    assert len(raw) == 128
    assert int.from_bytes(raw[offset : offset + width], "little", signed=signed) == value, name
    assert not any(raw[:offset]) and not any(raw[offset + width :])


def test_round_trip_and_clamping() -> None:
    record = Record(ts_ns=1, rid=2, cost_nano=-1, saved_nano=3, dur_us=2**40, status=200)
    back = Record.unpack(record.pack())
    assert (back.cost_nano, back.dur_us, back.status) == (-1, 2**32 - 1, 200)
