"""The table of translation cases and the tests that prove them: docs/compat.md.

`python -m tests.protocols.compat` runs those tests and writes the file: a tick stands only
where they passed. A test compares the file with what it says if all of them pass, which
the whole suite's being green means.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "compat.md"

SECTIONS: dict[str, dict[int, str]] = {
    "Messages": {
        1: "several system and developer messages are all kept, in order",
        2: "a system array becomes one message with separators",
        3: "Claude Code's billing header block is dropped for others and from cache keys",
        4: "`content: null` with tool calls gives no empty text block",
        5: "text and tool calls in one assistant message: text first",
        6: "parallel tool results become one Anthropic user message, results first",
        7: "tool results come before the user's text for OpenAI and Ollama",
        8: "`is_error`, images and arrays in tool results",
        9: "argument strings become objects; broken JSON is refused",
        10: "objects become argument strings once, bytes unchanged",
        11: "tool ids are kept, minted where Ollama omits them, substituted where refused",
        12: "Ollama's `tool_name` is derived from the call",
        13: "neighbours of one role are merged; a leading assistant message is refused",
        14: "prefill is carried, noted or refused by the model's ability",
        15: "trailing whitespace of a final assistant text is dropped for Anthropic",
        16: "a multi-part message stays one Ollama message",
        17: "unknown content parts are refused by name",
    },
    "Parameters": {
        18: "`max_tokens` that Anthropic requires",
        19: "`max_completion_tokens` before `max_tokens`; `num_predict`",
        20: "thinking budget below `max_tokens`, or dropped",
        21: "temperature above 1 is clamped for Anthropic, with a note",
        22: "what the client did not say is not sent",
        23: "combinations that a Claude model refuses are dropped",
        24: "`stop`, `stop_sequences`, `options.stop`; blank stops",
        25: "`tool_choice` in both directions",
        26: "`parallel_tool_calls` and `disable_parallel_tool_use`",
        27: "whole tool schemas, byte for byte",
        28: "long or odd tool names are shortened and restored",
        29: "tools that Anthropic runs itself are dropped with a note",
        30: "structured output: `response_format`, `format`, `output_config.format`",
        31: "reasoning effort, thinking and `think`",
        32: "`n`, `logprobs`, `logit_bias`, `seed`, penalties",
        33: "Ollama's own options stay with Ollama",
        34: "`metadata.user_id` and `user`",
        35: "`anthropic-version` and vendor headers",
    },
    "Streams": {
        36: "SSE by the standard: line ends, BOM, comments, any split, 8 MiB events",
        37: "Anthropic's event order and block indices",
        38: "interleaved parallel tool calls become blocks in a row",
        39: "text after a tool call closes the tool block first",
        40: "id and name once; late, repeated or missing ones",
        41: "`tool_use` starts with `input: {}`; empty input is an object",
        42: "role first; one id, created and model on all chunks",
        43: "thinking first, signed, redacted, never mixed into content",
        44: "pings",
        45: "unknown events, blocks and deltas are skipped",
        46: "Ollama's lines, durations, time stamps and error line",
        47: "stop sequences that the hub enforces do not leak",
        48: "`<think>` tags split across chunks",
        49: "headers of streams; no compression without flushing",
        50: "the same protocol on both sides: bytes pass unchanged",
    },
    "Images, documents and the rest": {
        51: "images in all directions, true media type",
        52: "remote image URLs",
        53: "documents: text is extracted, others refused",
        54: "image token estimates",
        55: "`cache_control` is kept for Anthropic, stripped for others",
        56: "`count_tokens`",
        57: "models in the three shapes",
        58: "either authentication header on every route; the hub's key is never forwarded",
        59: "the served model is told consistently",
        60: "embeddings",
        61: "empty assistant turns",
        62: "probes, CORS preflight, `Expect`, request ids",
        63: "a changed model: foreign thinking is stripped",
    },
}

FAULTS = {
    "F1": "the connection is refused",
    "F2": "the request is taken, then silence",
    "F3": "the head of an answer, then silence",
    "F4": "401 and 403",
    "F5": "429, with and without `retry-after`",
    "F6": "500 and 529",
    "F7": "200 with an error as its body",
    "F8": "200 with HTML",
    "F9": "cut after some tokens",
    "F10": "stalled after some tokens, then cut",
    "F11": "one malformed event, the rest is fine",
    "F12": "an error event in the stream",
    "F13": "the terminal marker twice",
    "F14": "no terminal marker but `[DONE]`",
    "F15": "usage missing, late, early",
    "F16": "the model is loading",
    "F17": "reset after some tokens",
    "F18": "the name cannot be resolved",
}
INVARIANTS: dict[int, tuple[str, list[str]]] = {
    1: (
        "the deltas of a stream, joined, are the whole answer",
        [
            "tests/protocols/test_properties.py::test_concatenated_deltas_are_the_whole_answer",
            "tests/protocols/test_properties.py::test_anthropic_carries_everything",
        ],
    ),
    2: (
        "round trips keep roles, ids, tool input and order",
        [
            "tests/protocols/test_properties.py::"
            "test_openai_anthropic_openai_keeps_roles_ids_inputs_and_order",
            "tests/protocols/test_properties.py::"
            "test_anthropic_openai_anthropic_keeps_roles_ids_inputs_and_order",
            "tests/protocols/test_properties.py::"
            "test_openai_ollama_openai_keeps_roles_ids_inputs_and_order",
        ],
    ),
    3: (
        "the ledger's total is the sum of its rows and the counter",
        [
            "tests/ops/test_budget_service.py::"
            "test_after_a_power_cut_counters_are_what_the_ledger_says",
            "tests/shared/test_budgets.py::test_restoring_makes_the_counter_the_ledger",
        ],
    ),
    4: (
        "nothing is kept without a terminal marker and status 200",
        ["tests/gateway/test_lookup.py::test_what_is_no_answer_is_not_kept"],
    ),
    5: (
        "another tenant, model, system, tool, seed or format is another key",
        [
            "tests/shared/test_answers.py::test_every_other_field_makes_another_key",
            "tests/shared/test_answers.py::test_only_its_tenant_gets_an_entry",
        ],
    ),
    6: (
        "blocks are well nested for random interleavings",
        [
            "tests/protocols/test_properties.py::"
            "test_blocks_are_well_nested_for_random_interleavings",
        ],
    ),
    7: (
        "memory is flat over a million requests",
        ["tests/system/test_flat_memory.py::test_memory_is_flat_over_a_million_requests"],
    ),
    8: (
        "planted secrets are in no sink",
        ["tests/system/test_planted.py::test_planted_secrets_are_in_no_sink"],
    ),
    9: (
        "a client that leaves closes its upstream call within a second",
        [
            "tests/system/test_processes.py::"
            "test_a_client_that_leaves_cancels_its_upstream_call",
        ],
    ),
    10: (
        "the cost of an unknown model is unknown, never 0",
        ["tests/domain/test_pricing.py::test_an_unknown_model_has_no_cost"],
    ),
}
MATRIX = "tests/system/test_fault_matrix.py"

HEAD = """# Compatibility

Clients speak OpenAI chat completions, completions, responses and embeddings, Anthropic
messages, Ollama chat, generate and embeddings; upstreams speak OpenAI's, Anthropic's or
Ollama's own chat. Each row is a case that translating gateways are known to get wrong. A
tick stands where tests prove the behaviour and have passed; their names begin with
`test_case_NN_`. This file is written by `python -m tests.protocols.compat`, which runs
them, and checked by the test suite.
"""

FAULT_HEAD = """
## Faults of an upstream

Each with OpenAI, Anthropic and Ollama clients, streamed (s) and whole (w), before each kind of
upstream. One test makes all eighteen calls of a row, so that its ticks stand or fall together.

| | fault | OpenAI s | w | Anthropic s | w | Ollama s | w |
|---|---|:-:|:-:|:-:|:-:|:-:|:-:|
"""

INVARIANT_HEAD = """
## Invariants

| # | holds always | proven | tests |
|--:|---|:-:|--:|
"""

RULES = """
## Rules

- What an upstream's format cannot carry is a 400 that names the field, or is dropped with
  a note; the harmless fields are listed in `pihub/protocols/canonical.py` (`HARMLESS`).
- Tool ids pass unchanged in both directions. An id that Anthropic's pattern refuses gets a
  substitute that is a hash of it, so that call and result agree without any state.
- Answers name the model that served them, not the alias that was asked for.
- Where client and upstream speak the same protocol only `model` (and `stream`, and
  `stream_options.include_usage`) of the request's bytes change.
- A stream is complete after its terminal marker (`finish_reason`, `message_stop`,
  `done: true`). An error ends it without one.
- Errors keep the hub's HTTP status, except that Anthropic clients get 529 for overload.
- Thinking without a signature is not sent to Anthropic, signed thinking not to others. A
  conversation with signed thinking stays with the model that signed it while it can
  (`docs/design/routing.md`); other models get it without, with a note.
- Ollama gets `think` only for models that are known to think, and is never asked to force
  a tool call: `tool_choice` `required` is refused there, so that a chain goes on to a
  model that can.
- Stop sequences of whitespace alone, which Anthropic refuses, are watched for by the hub.
- `<think>` at the beginning of an answer is told apart as thinking where it is translated.
- `/v1/completions` goes to the same endpoint of OpenAI-compatible upstreams and to Ollama's
  `/api/generate`; Anthropic answers the prompt as a chat of one message. `/api/generate`
  goes to Ollama as it is and to others as a chat; `raw`, `suffix`, `template` and `context`
  are refused there.
- `/v1/responses` is answered by the chat endpoints of all upstreams. Stored responses lie in
  the shared cache for `gateway.responses_ttl`. Tools that OpenAI runs itself are dropped
  with a note; `background`, `conversation`, `prompt` and item references are refused.
- Embeddings go to OpenAI-compatible upstreams and Ollama; token numbers only to the former.
- `count_tokens` is exact where Anthropic answers, else an estimate that says so.
- Ollama gets tools in the order of their names, so that its prompt cache holds.
- `json_object` for Anthropic becomes an instruction in the system prompt, with a note.
"""


def proofs(tests: Path = ROOT / "tests") -> dict[int, list[str]]:
    """Case number to the names of its tests."""
    found: dict[int, list[str]] = {}
    texts = {path: path.read_text() for path in sorted(tests.rglob("test_*.py"))}
    for path in (path for path, text in texts.items() if "def test_case_" in text):
        for node in ast.walk(ast.parse(texts[path])):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_case_"):
                number = int(node.name.split("_")[2])
                found.setdefault(number, []).append(f"{path.relative_to(ROOT)}::{node.name}")
    return found


def wanted() -> set[str]:
    """Every test on which a tick stands, as `path::name`, of faults `path::name[fault]`."""
    names = {name for tests in proofs().values() for name in tests}
    names |= {name for _, tests in INVARIANTS.values() for name in tests}
    return names | {f"{MATRIX}::test_fault[{fault}]" for fault in FAULTS}


def page(passed: Collection[str] | None = None) -> str:
    """`passed`: the tests that ran and passed; None: all that are wanted. What did not run
    has no tick."""
    fine = wanted() if passed is None else set(passed)
    proven = {number: names for number, names in proofs().items() if fine.issuperset(names)}
    parts = [HEAD]
    total = 0
    for title, cases in SECTIONS.items():
        parts.append(f"\n## {title}\n\n| # | case | proven | tests |\n|--:|---|:-:|--:|\n")
        for number, text in cases.items():
            count = len(proven.get(number, ()))
            total += bool(count)
            parts.append(f"| {number} | {text} | {'✓' if count else ''} | {count or ''} |\n")
    parts.append(f"\n{total} of {sum(map(len, SECTIONS.values()))} cases are proven.\n")
    parts.append(FAULT_HEAD)
    for fault, text in FAULTS.items():
        tick = "✓" if f"{MATRIX}::test_fault[{fault}]" in fine else ""
        parts.append(f"| {fault} | {text} |" + f" {tick} |" * 6 + "\n")
    parts.append(INVARIANT_HEAD)
    for number, (text, names) in INVARIANTS.items():
        held = bool(names) and fine.issuperset(names)
        parts.append(
            f"| {number} | {text} | {'✓' if held else ''} | {len(names) if held else ''} |\n"
        )
    parts.append(RULES)
    return "".join(parts)


class Seen:
    """A pytest plugin: which tests ran and passed with all their parameters; faults by name."""

    def __init__(self) -> None:
        self._ran: set[str] = set()
        self._failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        matrix = report.nodeid.startswith(MATRIX)
        name = report.nodeid if matrix else report.nodeid.partition("[")[0]
        if report.when == "call" and report.passed and not hasattr(report, "wasxfail"):
            self._ran.add(name)
        elif not report.passed or hasattr(report, "wasxfail"):
            self._failed.add(name)

    @property
    def passed(self) -> set[str]:
        return self._ran - self._failed


def run() -> set[str]:
    """Run the tests of all cases, faults and invariants; those that passed."""
    files = sorted({name for name in wanted() if not name.startswith(MATRIX)})
    seen = Seen()
    pytest.main(["-q", "-p", "no:cacheprovider", MATRIX, *files], plugins=[seen])
    return seen.passed


if __name__ == "__main__":
    found = run()
    PAGE.write_text(page(found))
    missing = sorted(wanted() - found)
    sys.exit(f"not proven: {missing}" if missing else 0)
