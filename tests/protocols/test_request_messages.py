"""Messages from each client protocol to each upstream format (cases 1 to 17)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pihub.errors import BadRequest, Unsupported
from tests.protocols.carry import (
    CLAUDE_48,
    CLAUDE_OLD,
    PNG,
    carry,
    chat,
    function_call,
    notes,
    parse,
    request,
    user,
)


def test_case_01_all_system_and_developer_messages_are_kept_in_order() -> None:
    body = chat(
        "openai",
        {"role": "system", "content": "one"},
        user(),
        {"role": "developer", "content": [{"type": "text", "text": "two"}]},
        {"role": "system", "content": "three"},
        max_tokens=5,
    )
    assert carry("openai", "anthropic", body)["system"] == "one\ntwo\nthree"
    ollama = carry("openai", "ollama", body)["messages"]
    assert ollama[0] == {"role": "system", "content": "one\ntwo\nthree"}
    assert [m["role"] for m in ollama] == ["system", "user"]


def test_case_01_cache_control_keeps_the_system_blocks_apart() -> None:
    marked = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}
    body = chat("anthropic", user(), system=[{"type": "text", "text": "a"}, marked])
    assert carry("anthropic", "anthropic", body)["system"] == [
        {"type": "text", "text": "a"},
        marked,
    ]


@pytest.mark.parametrize("upstream", ["openai", "ollama"])
def test_case_02_system_array_becomes_one_message_with_separators(upstream: str) -> None:
    system = [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "b"},
    ]
    messages = carry("anthropic", upstream, chat("anthropic", user(), system=system))["messages"]
    assert messages[0] == {"role": "system", "content": "a\nb"}


def test_case_03_billing_header_block_is_dropped() -> None:
    nonce = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cch=f00ba;"}
    body = chat("anthropic", user(), system=[nonce, {"type": "text", "text": "Be brief."}])
    plain = chat("anthropic", user(), system=[{"type": "text", "text": "Be brief."}])
    assert parse("anthropic", body) == parse("anthropic", plain)
    assert carry("anthropic", "ollama", body)["messages"][0]["content"] == "Be brief."


def test_case_04_null_content_with_tool_calls_gives_no_text_block() -> None:
    body = chat(
        "openai",
        user(),
        {"role": "assistant", "content": None, "tool_calls": [function_call("c1", "f", "{}")]},
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
        max_tokens=5,
    )
    assistant = carry("openai", "anthropic", body)["messages"][1]
    assert assistant["content"] == [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]
    again = carry("openai", "openai", body)["messages"][1]
    assert again["content"] is None and again["tool_calls"][0]["id"] == "c1"


def test_case_05_text_comes_before_the_tool_uses() -> None:
    body = chat(
        "openai",
        user(),
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [function_call("c1", "f", "{}"), function_call("c2", "g", "{}")],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": "2"},
        max_tokens=5,
    )
    kinds = [b["type"] for b in carry("openai", "anthropic", body)["messages"][1]["content"]]
    assert kinds == ["text", "tool_use", "tool_use"]
    ollama = carry("openai", "ollama", body)["messages"][1]
    assert ollama["content"] == "Let me look." and len(ollama["tool_calls"]) == 2


def test_case_06_parallel_results_are_one_user_message_results_first() -> None:
    body = chat(
        "openai",
        user(),
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [function_call("c1", "f", "{}"), function_call("c2", "g", "{}")],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": "2"},
        user("and now?"),
        max_tokens=5,
    )
    messages = carry("openai", "anthropic", body)["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "user"]
    assert [(b["type"], b.get("tool_use_id"), b.get("text")) for b in messages[2]["content"]] == [
        ("tool_result", "c1", None),
        ("tool_result", "c2", None),
        ("text", None, "and now?"),
    ]


@pytest.mark.parametrize("upstream", ["openai", "ollama"])
def test_case_07_tool_results_come_before_the_users_text(upstream: str) -> None:
    body = chat(
        "anthropic",
        user(),
        {"role": "assistant", "content": [tool_use("t1"), tool_use("t2")]},
        user(
            [
                {"type": "text", "text": "thanks"},
                {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
                {"type": "tool_result", "tool_use_id": "t2", "content": "two"},
            ]
        ),
    )
    messages = carry("anthropic", upstream, body)["messages"][-3:]
    assert [(m["role"], m["content"]) for m in messages] == [
        ("tool", "one"),
        ("tool", "two"),
        ("user", "thanks"),
    ]
    assert [m["tool_call_id"] for m in messages[:2]] == ["t1", "t2"]
    again = carry("anthropic", "anthropic", body)["messages"][-1]["content"]
    assert [block["type"] for block in again] == ["tool_result", "tool_result", "text"]


def tool_use(id_: str, name: str = "f") -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": {}}


@pytest.mark.parametrize("upstream", ["openai", "ollama"])
def test_case_08_errors_are_prefixed_and_images_follow_in_a_user_turn(upstream: str) -> None:
    image = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": PNG},
    }
    body = chat(
        "anthropic",
        user(),
        {"role": "assistant", "content": [tool_use("t1"), tool_use("t2")]},
        user(
            [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "is_error": True,
                    "content": [{"type": "text", "text": "no "}, {"type": "text", "text": "disk"}],
                },
                {"type": "tool_result", "tool_use_id": "t2", "content": [image]},
            ]
        ),
    )
    messages = carry("anthropic", upstream, body)["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "tool", "user"]
    assert messages[2]["content"] == "Error: no disk"
    assert PNG in json.dumps(messages[4])
    back = carry("anthropic", "anthropic", body)["messages"][2]["content"]
    assert back[0]["is_error"] is True and back[1]["content"] == [image]


def test_case_09_argument_strings_become_objects() -> None:
    def body(arguments: str) -> dict[str, Any]:
        return chat(
            "openai",
            user(),
            {"role": "assistant", "tool_calls": [function_call("c", "f", arguments)]},
            {"role": "tool", "tool_call_id": "c", "content": "x"},
            max_tokens=5,
        )

    for text, value in (('{"a": [1, 2.50]}', {"a": [1, 2.5]}), ("", {}), ("  ", {})):
        anthropic = carry("openai", "anthropic", body(text))["messages"][1]["content"][0]
        assert anthropic["input"] == value
        ollama = carry("openai", "ollama", body(text))["messages"][1]["tool_calls"][0]
        assert ollama["function"]["arguments"] == value
    for wrong in ("{", "[1]", "nonsense", '{"a":NaN}', '"text"'):
        with pytest.raises(BadRequest) as caught:
            parse("openai", body(wrong))
        assert caught.value.param == "messages[1].tool_calls[0].function.arguments"


def test_case_10_objects_become_strings_once_bytes_unchanged() -> None:
    text = '{"z": 1.50, "a": {"deep": [1e2, "\\u00e9"]}, "n": 12345678901234567890}'
    block = '{"type":"tool_use","id":"t","name":"f","input":' + text + "}"
    body = (
        '{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"},'
        '{"role":"assistant","content":[' + block + "]},"
        '{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}]}'
    ).encode()
    call = carry("anthropic", "openai", body)["messages"][1]["tool_calls"][0]
    assert call["function"]["arguments"] == text


def test_case_11_ids_are_kept_and_minted_only_where_missing() -> None:
    body = chat(
        "ollama",
        user(),
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"function": {"name": "f", "arguments": {}}},
                {"function": {"name": "f", "arguments": {"n": 2}}},
                {"id": "mine", "function": {"name": "g", "arguments": {}}},
            ],
        },
        {"role": "tool", "tool_name": "g", "content": "third"},
        {"role": "tool", "tool_name": "f", "content": "first"},
        {"role": "tool", "content": "second"},
    )
    messages = carry("ollama", "openai", body)["messages"]
    calls = [call["id"] for call in messages[1]["tool_calls"]]
    assert calls == ["call_0", "call_1", "mine"]
    assert [(m["tool_call_id"], m["content"]) for m in messages[2:]] == [
        ("mine", "third"),
        ("call_0", "first"),
        ("call_1", "second"),
    ]


def test_case_11_ids_that_anthropic_refuses_get_one_stable_substitute() -> None:
    body = chat(
        "openai",
        user(),
        {"role": "assistant", "tool_calls": [function_call("functions.f:0", "f", "{}")]},
        {"role": "tool", "tool_call_id": "functions.f:0", "content": "x"},
        max_tokens=5,
    )
    messages = carry("openai", "anthropic", body)["messages"]
    used = messages[1]["content"][0]["id"]
    assert used == messages[2]["content"][0]["tool_use_id"]
    assert (
        used.startswith("toolu_")
        and used == (carry("openai", "anthropic", body)["messages"][1]["content"][0]["id"])
    )


def test_case_12_tool_name_is_derived_from_the_call_last_wins() -> None:
    def turn(name: str) -> list[dict[str, Any]]:
        return [
            {"role": "assistant", "tool_calls": [function_call("same", name, "{}")]},
            {"role": "tool", "tool_call_id": "same", "content": name},
        ]

    body = chat("openai", user(), *turn("old"), *turn("new"))
    results = [m for m in carry("openai", "ollama", body)["messages"] if m["role"] == "tool"]
    assert results[-1]["tool_name"] == "new"


def test_case_13_neighbours_are_merged_and_a_leading_assistant_is_refused() -> None:
    body = chat(
        "openai",
        user("a"),
        user("b"),
        {"role": "assistant", "content": "c"},
        user("d"),
        max_tokens=5,
    )
    messages = carry("openai", "anthropic", body)["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "user"]
    assert [b["text"] for b in messages[0]["content"]] == ["a", "b"]
    first = chat("openai", {"role": "assistant", "content": "x"}, user(), max_tokens=5)
    with pytest.raises(Unsupported, match="first message"):
        carry("openai", "anthropic", first)


def test_case_14_prefill() -> None:
    body = chat("anthropic", user(), {"role": "assistant", "content": "The answer is ("})
    assert carry("anthropic", "ollama", body)["messages"][-1]["content"] == "The answer is ("
    assert "messages: prefill" in notes("anthropic", "openai", body)
    assert carry("anthropic", "anthropic", body, CLAUDE_OLD)["messages"][-1]["role"] == "assistant"
    with pytest.raises(Unsupported, match="continue"):
        carry("anthropic", "anthropic", body, CLAUDE_48)


def test_case_15_trailing_whitespace_of_a_final_assistant_text_is_dropped() -> None:
    body = chat("openai", user(), {"role": "assistant", "content": "So: \n"}, max_tokens=5)
    assert carry("openai", "anthropic", body, CLAUDE_OLD)["messages"][-1]["content"] == "So:"


def test_case_16_parts_become_one_ollama_message() -> None:
    parts = [
        {"type": "text", "text": "first"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PNG}},
        {"type": "text", "text": "last"},
    ]
    messages = carry("openai", "ollama", chat("openai", user(parts)))["messages"]
    assert messages == [{"role": "user", "content": "first\nlast", "images": [PNG]}]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "hologram"},
    ],
)
@pytest.mark.parametrize("upstream", ["anthropic", "ollama"])
def test_case_17_unknown_parts_are_refused_by_name(part: dict[str, Any], upstream: str) -> None:
    ask = parse("openai", chat("openai", user([{"type": "text", "text": "x"}, part])))
    with pytest.raises(Unsupported) as caught:
        request(upstream, ask)
    assert caught.value.param == "messages[0].content[1]"
    assert json.loads(ask.extra["messages[0].content[1]"]) == part


def test_case_17_anthropic_blocks_without_a_counterpart_are_refused_by_name() -> None:
    block = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}}
    with pytest.raises(Unsupported) as caught:
        carry("anthropic", "ollama", chat("anthropic", user([block])))
    assert caught.value.param == "messages[0].content[0]"


@pytest.mark.parametrize(
    ("client", "body", "param"),
    [
        ("openai", {"messages": []}, "model"),
        ("openai", {"model": "", "messages": [user()]}, "model"),
        ("openai", {"model": "m", "messages": []}, "messages"),
        ("openai", {"model": "m", "messages": [{"role": "king"}]}, "messages[0].role"),
        ("openai", {"model": "m", "messages": [{"content": "x"}]}, "messages[0].role"),
        ("openai", {"model": 5, "messages": [user()]}, "model"),
        ("anthropic", {"model": "m", "messages": [user()]}, "max_tokens"),
        (
            "anthropic",
            {"model": "m", "max_tokens": 1, "messages": [{"role": "tool", "content": ""}]},
            "messages[0].role",
        ),
        ("ollama", {"model": "m", "messages": [{"role": "tool", "content": "x"}]}, "messages[0]"),
        ("ollama", {"model": "m", "options": {"stop": 5}}, "options.stop"),
        ("ollama", {"model": "m", "options": {"num_predict": 1.5}}, "options.num_predict"),
    ],
)
def test_malformed_requests_name_the_field(client: str, body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(client, body)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":NaN}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":9}x',
        b'{"model":"m","messages":' + b"[" * 20000,
        b'{"model":"m","max_tokens":9,"messages":[],"zz":"\xff"}',
        b'{"model":"m","max_tokens":9,"messages":[],"zz":' + b"[" * 20000 + b"]" * 20000 + b"}",
    ],
)
@pytest.mark.parametrize("client", ["openai", "anthropic", "ollama"])
def test_broken_json_is_a_bad_request(client: str, body: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(client, body)


def test_ollama_without_messages_loads_a_model() -> None:
    ask = parse("ollama", {"model": "m", "keep_alive": 0})
    assert ask.messages == () and ask.keep_alive == 0
    assert request("ollama", ask) == {
        "model": "llama3.2",
        "messages": [],
        "stream": False,
        "keep_alive": 0,
    }
