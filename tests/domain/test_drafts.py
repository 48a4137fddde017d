"""Checks of a local draft, and the JSON Schema that they need."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pihub.domain.chat import (
    Answer,
    Ask,
    Message,
    ResponseFormat,
    StopReason,
    Text,
    Tool,
    ToolChoice,
    ToolUse,
)
from pihub.domain.drafts import CHECKS, agree, first_failure
from pihub.domain.jsonschema import faults

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "unit": {"type": "string", "enum": ["c", "f"]},
        "days": {"type": "integer", "minimum": 1},
    },
    "required": ["city"],
}
TOOL = Tool("weather", schema=json.dumps(SCHEMA))


def ask(**more: Any) -> Ask:
    return Ask(model="m", messages=(Message("user", (Text("hello"),)),), **more)


def said(text: str, stop: StopReason = StopReason.END_TURN) -> Answer:
    return Answer(id="1", model="m", blocks=(Text(text),), stop_reason=stop)


def called(name: str, arguments: str) -> Answer:
    return Answer(
        id="1",
        model="m",
        blocks=(ToolUse("t", name, arguments),),
        stop_reason=StopReason.TOOL_USE,
    )


@pytest.mark.parametrize(
    ("answer", "request_", "failed"),
    [
        (said("Paris."), ask(), ""),
        (said("  \n"), ask(), "empty"),
        (said("I'm sorry, but I cannot help with that."), ask(), "refusal"),
        (said("I cannot see why not: yes."), ask(), "refusal"),
        (said("She said: I'm sorry."), ask(), ""),
        (said("half", StopReason.MAX_TOKENS), ask(), "cut"),
        (said("half", StopReason.MAX_TOKENS), ask(max_tokens=1), ""),
        (said("no"), ask(tools=(TOOL,), tool_choice=ToolChoice("any")), "tools"),
        (called("weather", '{"city":"Rome","unit":"c"}'), ask(tools=(TOOL,)), ""),
        (called("wether", '{"city":"Rome"}'), ask(tools=(TOOL,)), "tools"),
        (called("weather", '{"city":"Rome"'), ask(tools=(TOOL,)), "tools"),
        (called("weather", "{}"), ask(tools=(TOOL,)), "tools"),
        (called("weather", '{"city":"Rome","unit":"k"}'), ask(tools=(TOOL,)), "tools"),
        (called("weather", '{"city":"Rome","town":1}'), ask(tools=(TOOL,)), "tools"),
        (said("{}"), ask(response_format=ResponseFormat("json_object")), ""),
        (said("[1]"), ask(response_format=ResponseFormat("json_object")), "schema"),
        (said("Sure: {}"), ask(response_format=ResponseFormat("json_object")), "schema"),
        (
            said('{"city": 3}'),
            ask(response_format=ResponseFormat("json_schema", schema=json.dumps(SCHEMA))),
            "schema",
        ),
    ],
)
def test_first_failure(answer: Answer, request_: Ask, failed: str) -> None:
    assert first_failure(CHECKS, answer, request_) == failed
    assert first_failure([check for check in CHECKS if check != failed], answer, request_) == ""


def test_two_samples() -> None:
    assert agree(said("The answer is 42."), said("It is 42, the answer."))
    assert not agree(said("The answer is 42."), said("The answer is 41."))
    assert not agree(said("Paris lies in France"), said("Rome, of course"))
    assert agree(called("f", '{"a": 1, "b": 2}'), called("f", '{"b":2,"a":1}'))
    assert not agree(called("f", '{"a": 1}'), called("f", '{"a": 2}'))
    assert not agree(called("f", "{}"), said("f"))


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, [1, 2.0], [True, 1.5, "1"]),
        ({"type": ["string", "null"]}, ["", None], [0]),
        ({"const": {"a": 1}}, [{"a": 1}], [{}]),
        ({"minimum": 0, "exclusiveMaximum": 3}, [0, 2.9, "x"], [-1, 3]),
        ({"minLength": 1, "maxLength": 2}, ["a", "ab"], ["", "abc"]),
        ({"type": "array", "items": {"type": "number"}, "minItems": 1}, [[1]], [[], ["1"]]),
        ({"prefixItems": [{"type": "string"}], "items": False}, [["a"]], [["a", 1], [1]]),
        ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, ["a", 7], [3]),
        ({"oneOf": [{"minimum": 5}, {"maximum": 7}]}, [4, 8], [6]),
        ({"allOf": [{"minimum": 5}, {"maximum": 7}]}, [6], [4, 8]),
        ({"not": {"type": "null"}}, [0], [None]),
        ({"additionalProperties": {"type": "string"}}, [{"a": "b"}], [{"a": 1}]),
        ({"properties": {"a": True}, "additionalProperties": False}, [{"a": 1}], [{"b": 1}]),
        (
            {"$ref": "#/$defs/n", "$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}},
                                                  "required": ["v"]}}},
            [{"v": 1, "next": {"v": 2}}],
            [{"v": 1, "next": {}}],
        ),
        ({"pattern": "^a"}, ["b"], []),
        ({"$ref": "elsewhere.json"}, [1], []),
        ({"$ref": "#"}, [1], []),
    ],
)  # fmt: skip
def test_schema(schema: Any, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if faults(value, schema)] == []
    assert [value for value in bad if not faults(value, schema)] == []


def test_a_fault_says_where() -> None:
    found = faults({"days": 0}, SCHEMA)
    assert found == ["$: lacks city", "$.days: is beyond minimum 1"]
