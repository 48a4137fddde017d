"""Is a local draft good enough? Deterministic checks of an answer against its request.

The order is from cheap and certain to doubtful. Tool calls are checked as the Berkeley
Function Calling Leaderboard's rules do: the function exists, its input parses and fits
its schema. Refusals are matched only at the answer's beginning, where they stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from pihub.domain.chat import Answer, Ask, StopReason, Text, ToolUse
from pihub.domain.jsonschema import faults

CHECKS = ("cut", "empty", "tools", "schema", "refusal", "logprob", "agreement")
_REFUSAL = re.compile(
    r"\s*(?:i(?:'m| am) (?:sorry|unable|not able)|i (?:can ?not|can't|won't)\b|sorry, (?:but )?i\b"
    r"|as an ai\b|i do(?:n't| not) (?:have (?:access|enough|the ability)|know)|unfortunately, i\b)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")


def first_failure(checks: Sequence[str], answer: Answer, ask: Ask) -> str:
    """The name of the first check that fails, "" if all hold. `agreement` needs a second
    answer, `logprob` a floor: see `agree` and `sure`."""
    for check in CHECKS:
        if check in checks and check in _RULES and not _RULES[check](answer, ask):
            return check
    return ""


def sure(answer: Answer, floor: float) -> bool:
    """Whether the mean log probability of the answer's tokens is at least `floor`; True where
    the upstream told none."""
    told = answer.logprobs
    return not told or sum(one.logprob for one in told) / len(told) >= floor


def agree(one: Answer, two: Answer) -> bool:
    """Two samples say the same: equal tool calls, else at least half of the words shared."""
    if calls(one) or calls(two):
        return _called(one) == _called(two)
    a, b = words(one), words(two)
    numbers = {w for w in a if w.isdigit()} == {w for w in b if w.isdigit()}
    return numbers and 2 * len(a & b) >= len(a | b)


def text_of(answer: Answer) -> str:
    return "".join(block.text for block in answer.blocks if isinstance(block, Text))


def words(answer: Answer) -> set[str]:
    return {word.lower() for word in _WORD.findall(text_of(answer))}


def calls(answer: Answer) -> list[ToolUse]:
    return [block for block in answer.blocks if isinstance(block, ToolUse)]


def _called(answer: Answer) -> list[tuple[str, Any]]:
    return [(call.name, _parsed(call.input)) for call in calls(answer)]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _whole(answer: Answer, ask: Ask) -> bool:
    """Not cut at a limit that the client did not set."""
    if answer.stop_reason is StopReason.CONTEXT_EXCEEDED:
        return False
    return answer.stop_reason is not StopReason.MAX_TOKENS or ask.max_tokens is not None


def _said_something(answer: Answer, ask: Ask) -> bool:
    return bool(calls(answer) or text_of(answer).strip())


def _tools_fit(answer: Answer, ask: Ask) -> bool:
    known = {tool.name: tool.schema for tool in ask.tools}
    found = calls(answer)
    choice = ask.tool_choice
    if choice is not None:
        if choice.mode in ("any", "tool") and not found:
            return False
        if choice.mode == "tool" and any(call.name != choice.name for call in found):
            return False
    for call in found:
        value = _parsed(call.input)
        if call.name not in known or not isinstance(value, dict):
            return False
        schema = _parsed(known[call.name])
        if isinstance(schema, dict) and faults(value, schema, strict=True):
            return False
    return True


def _schema_fits(answer: Answer, ask: Ask) -> bool:
    wanted = ask.response_format
    if wanted is None or wanted.kind == "text" or calls(answer):
        return True
    text = text_of(answer)
    value = _parsed(text)
    if value is None and text.strip() != "null":
        return False
    if wanted.kind == "json_object":
        return isinstance(value, dict)
    schema = _parsed(wanted.schema)
    return not isinstance(schema, dict) or not faults(value, schema)


def _no_refusal(answer: Answer, ask: Ask) -> bool:
    return answer.stop_reason is not StopReason.REFUSAL and not _REFUSAL.match(text_of(answer))


_RULES = {
    "cut": _whole,
    "empty": _said_something,
    "tools": _tools_fit,
    "schema": _schema_fits,
    "refusal": _no_refusal,
}
