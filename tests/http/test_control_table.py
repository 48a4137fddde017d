"""What holds for every operation of the table, without a word about any one of them."""

from __future__ import annotations

import itertools
import re

import msgspec
import pytest

from pihub.http.control.openapi import document
from pihub.http.control.operation import SELF, Operation
from pihub.http.control.shapes import Input
from pihub.http.control.table import OPERATIONS
from pihub.security.permissions import PERMISSIONS, ROLES

EACH = pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.id)


@EACH
def test_it_declares_a_known_permission_that_fits_its_method(one: Operation) -> None:
    assert one.permission in PERMISSIONS or one.permission == SELF
    if one.method == "GET" and one.permission != SELF:
        assert one.permission.endswith(":read")


@EACH
def test_it_says_what_it_does(one: Operation) -> None:
    assert one.summary and "|" not in one.summary and not one.summary.endswith(".")


@EACH
def test_what_it_reads_refuses_unknown_fields(one: Operation) -> None:
    for form in (one.query, one.body):
        if form is not None:
            assert issubclass(form, Input)
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert({"surely_unknown": 1}, form)


@EACH
def test_what_it_reads_refuses_values_of_another_kind(one: Operation) -> None:
    for form in (one.query, one.body):
        for field in () if form is None else msgspec.structs.fields(form):
            with pytest.raises(msgspec.ValidationError, match=field.encode_name):
                msgspec.convert({field.encode_name: [[{"made": "up"}]]}, form, strict=False)


def test_no_two_are_the_same() -> None:
    assert len({one.id for one in OPERATIONS}) == len(OPERATIONS)
    assert len({(one.method, one.path) for one in OPERATIONS}) == len(OPERATIONS)


def test_the_document_lists_each_with_its_permission() -> None:
    found = document(OPERATIONS)
    assert found["openapi"] == "3.1.0"
    listed = {
        (method.upper(), path, said["x-permission"], said["operationId"])
        for path, methods in found["paths"].items()
        for method, said in methods.items()
    }
    assert listed == {(o.method, o.shown_path, o.permission, o.id) for o in OPERATIONS}


def test_every_reference_of_the_document_resolves() -> None:
    found = document(OPERATIONS)
    text = msgspec.json.encode(found).decode()
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert names and names <= set(found["components"]["schemas"])


@EACH
def test_path_fields_are_parameters(one: Operation) -> None:
    said = document(OPERATIONS)["paths"][one.shown_path][one.method.lower()]
    fields = re.findall(r"\{(\w+)", one.path)
    assert [p["name"] for p in said["parameters"] if p["in"] == "path"] == fields


def test_roles_are_nested_and_only_owners_make_owners() -> None:
    order = ["viewer", "analyst", "operator", "admin", "owner"]
    for less, more in itertools.pairwise(order):
        assert ROLES[less] < ROLES[more]
    assert [name for name in ROLES if "owners:write" in ROLES[name]] == ["owner"]
